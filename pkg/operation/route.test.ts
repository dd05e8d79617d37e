import { describe, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import * as z from 'zod'
import { CodedError, problemHandler } from '../problem/index.ts'
import { type Operation, operation } from './operation.ts'
import { type Route, type RouteOptions, registerRoute } from './route.ts'
import type { FieldError } from './validate.ts'

const route = (app: express.Express, route: Route, options: Partial<RouteOptions> = {}) =>
  registerRoute(app, route, { readBody: () => (_req, _res, next) => next(), ...options })

const createOperation = (handler: express.RequestHandler): Operation => ({
  id: 'x',
  summary: '',
  responses: {},
  handler,
})

test('each method of a path reaches its handler, and another method gets 405 with the allowed methods', async () => {
  const app = express()
  const echo = createOperation((req, res) => void res.json(req.method))
  route(app, { path: '/things/:id', patch: echo, get: echo, delete: echo })
  app.use(problemHandler())
  await request(app).patch('/things/1').expect(200, '"PATCH"')
  await request(app).delete('/things/1').expect(200, '"DELETE"')
  await request(app).get('/things/1').expect(200, '"GET"')
  const malformed = await request(app).get('/things/%E0%A4%A').expect(400)
  expect(malformed.body).toMatchObject({ code: 'malformed_path' })
  const refused = await request(app).put('/things/1').expect(405)
  expect(refused.headers['allow']).toBe('DELETE, GET, HEAD, OPTIONS, PATCH')
})

test('the priority of an operation is recorded before the guard, for operations that have one', async () => {
  const app = express()
  const order: string[] = []
  const record = (name: string): express.RequestHandler => {
    return (_req, _res, next) => {
      order.push(name)
      next()
    }
  }
  const operation = createOperation((_req, res) => void res.end())
  const options = { guard: record('guard'), prioritize: record }
  route(app, { path: '/', get: { ...operation, priority: 'core' }, post: operation }, options)
  await request(app).get('/').expect(200)
  await request(app).post('/').expect(200)
  expect(order).toEqual(['core', 'guard', 'guard'])
})

test('a disabled path is unknown for every method', async () => {
  let exists = false
  const app = express()
  route(app, { path: '/beta', get: createOperation((_req, res) => void res.json({})), when: () => exists })
  app.use((_req, res) => void res.status(404).end())
  await request(app).get('/beta').expect(404)
  await request(app).post('/beta').expect(404)
  await request(app).options('/beta').expect(404)
  exists = true
  await request(app).get('/beta').expect(200)
  await request(app).options('/beta').expect(204).expect('allow', 'GET, HEAD, OPTIONS')
  exists = false
  await request(app).get('/beta').expect(404)
})

test('a disabled path is unknown for the metrics too', async () => {
  const known: unknown[] = []
  const found: unknown[] = []
  const app = express()
  const respond = createOperation((_req, res) => void res.json({}))
  for (const [path, exists] of [
    ['/on', true],
    ['/off', false],
  ] as const) {
    route(app, { path, get: respond, when: () => exists }, { onRoute: (route) => known.push(route) })
  }
  app.use((req, res) => {
    found.push(req.route)
    res.status(404).end()
  })
  const seen: express.Request[] = []
  const server = express().use((req, _res, next) => {
    seen.push(req)
    next()
  }, app)
  await request(server).get('/on').expect(200)
  await request(server).get('/off').expect(404)
  expect(known.map((route) => (route as { path: string }).path)).toEqual(['/on', '/off'])
  expect(seen[0]!.route).toBe(known[0])
  expect(found).toEqual([undefined])
})

test('a handler may pass a request on to the next route', async () => {
  const app = express()
  route(app, { path: '/things/:id', get: createOperation((_req, _res, next) => next()) })
  app.use((_req, res) => void res.status(404).end())
  await request(app).get('/things/1').expect(404)
})

test('the guard runs before the body is read, for every operation that is not public', async () => {
  const app = express()
  const steps: string[] = []
  const guard: express.RequestHandler = (req, _res, next) => {
    steps.push('guard')
    if (req.headers.authorization === undefined) throw new CodedError('not_found')
    next()
  }
  const readBody: express.RequestHandler = (_req, _res, next) => {
    steps.push('body')
    next()
  }
  const options: RouteOptions = { guard, readBody: () => readBody }
  const respond = createOperation((_req, res) => void res.json({}))
  registerRoute(
    app,
    { path: '/reports', get: respond, post: { ...respond, body: { type: 'json', schema: z.unknown() } } },
    options,
  )
  registerRoute(app, { path: '/status', get: { ...respond, public: true }, delete: respond }, options)
  app.use(problemHandler())
  await request(app).get('/reports').expect(404)
  await request(app).post('/reports').expect(404)
  await request(app).delete('/status').expect(404)
  await request(app).get('/reports').set('authorization', 'x').expect(200)
  expect(steps).toEqual(['guard', 'guard', 'guard', 'guard'])
  await request(app).post('/reports').set('authorization', 'x').expect(200)
  await request(app).get('/status').expect(200)
  expect(steps.slice(4)).toEqual(['guard', 'body'])
})

test('an operation without schemas registers only its handler', () => {
  const app = express()
  const handler: express.RequestHandler = (_req, res) => void res.end()
  route(app, { path: '/x', get: createOperation(handler) })
  const layers = app.router.stack[0]?.route?.stack ?? []
  expect(layers.filter(({ method }) => method === 'get').map(({ handle }) => handle)).toEqual([handler])
})

describe('an operation with schemas', () => {
  const app = express()
  app.use(express.json())
  const body = z.strictObject({ title: z.string().max(3), tags: z.array(z.int()).default([]) })
  const put = operation({
    id: 'putThing',
    summary: '',
    params: z.object({ id: z.uuid() }),
    query: z.object({ dry: z.enum(['yes', 'no']).default('no') }),
    headers: z.object({ 'x-reason': z.string().min(3) }),
    body,
    responses: { 200: { description: '', schema: () => z.unknown() } },
    handler: (req, res) =>
      void res.json({ id: req.params.id, dry: req.query.dry, title: req.body.title, body: req.body }),
  })
  const remove = operation({
    id: 'removeThing',
    summary: '',
    headers: z.object({ 'if-match': z.string() }),
    query: z.object({ dry: z.enum(['yes']) }),
    responses: { 204: { description: '' } },
    handler: (_req, res) => void res.status(204).end(),
  })
  const read = operation({
    id: 'readThing',
    summary: '',
    params: z.object({ id: z.uuid() }),
    headers: z.object({ 'x-reason': z.string().min(3) }),
    responses: { 200: { description: '', schema: () => z.unknown() } },
    handler: (_req, res) => void res.json({}),
  })
  const search = operation({
    id: 'searchThings',
    summary: '',
    query: z.looseObject({ q: z.string() }),
    responses: { 200: { description: '', schema: () => z.unknown() } },
    handler: (req, res) => void res.json(req.query),
  })
  const patch = operation({
    ...{ id: 'patchThing', summary: '', body },
    responses: { 200: { description: '', schema: () => z.unknown() } },
    query: z
      .object({ dry: z.enum(['yes']) })
      .transform(({ dry }) => ({ isDry: dry === 'yes' }))
      .refine(({ isDry }) => isDry),
    handler: (req, res) => void res.json(req.query),
  })
  route(app, { path: '/things/:id', put, get: read, patch, delete: remove })
  route(app, { path: '/search', get: search })
  route(app, { path: '/plain', get: createOperation((_req, res) => void res.json({})) })
  app.use(problemHandler())
  const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  const send = (content: object | undefined, { path = `/things/${id}`, reason = 'because' } = {}) =>
    request(app).put(path).set('x-reason', reason).send(content)

  test('passes the parsed values to the handler', async () => {
    await send({ title: 'abc' }, { path: `/things/${id}?dry=yes` }).expect(200, {
      id,
      dry: 'yes',
      title: 'abc',
      body: { title: 'abc', tags: [] },
    })
  })

  test('lists every invalid field of each part of the request once', async () => {
    const content = { title: 'long', tags: ['a', 'b'], admin: true, constructor: 1 }
    const refused = await send(content, { path: `/things/${id}?dry=maybe`, reason: 'x' }).expect(422)
    expect(refused.body).toMatchObject({ code: 'invalid_input' })
    expect(refused.body.errors.map(({ in: source, field }: FieldError) => `${source} ${field}`)).toEqual([
      'query dry',
      'headers x-reason',
      'body title',
      'body tags.0',
      'body tags.1',
      'body admin',
      'body constructor',
    ])
    for (const { message } of refused.body.errors) expect(message).toMatch(/^.{8,}$/)
  })

  test('lists at most a hundred invalid fields', async () => {
    const content = Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`field${index}`, 0]))
    expect((await send(content).expect(422)).body.errors).toHaveLength(100)
  })

  test('cuts the name of an unknown field', async () => {
    const refused = await send({ title: 'abc', ['x'.repeat(5_000)]: 1 }).expect(422)
    expect(refused.body.errors).toMatchObject([{ field: 'x'.repeat(1_000) }])
  })

  test.each([['{"__proto__":{"admin":1},"title":"a"}'], ['{"title":"a","__proto__":[]}']])(
    'the body %s is rejected',
    async (text) => {
      const refused = await request(app).put(`/things/${id}`).set('x-reason', 'because').type('json').send(text)
      expect([refused.status, refused.body.errors]).toEqual([422, [expect.objectContaining({ field: '__proto__' })]])
    },
  )

  test.each([[undefined], [[]]])('the body %j is one invalid field', async (content) => {
    const refused = await send(content).expect(422)
    expect(refused.body.errors).toEqual([{ in: 'body', field: '', message: expect.stringContaining('object') }])
  })

  test.each([
    ['an operation that declares a query', 'put', `/things/${id}?dry=yes&colour=red&__proto__=1`],
    ['an operation with a transformed query', 'patch', `/things/${id}?dry=yes&colour=red&__proto__=1`],
    ['an operation that declares only headers', 'get', `/things/${id}?colour=red&__proto__=1`],
  ] as const)('rejects unknown parameters of %s, by name', async (_title, method, path) => {
    const refused = await request(app)[method](path).set('x-reason', 'because').send({ title: 'abc' }).expect(422)
    expect(refused.body).toMatchObject({
      code: 'invalid_input',
      errors: [
        { in: 'query', field: 'colour', message: 'Unknown parameter' },
        { in: 'query', field: '__proto__', message: 'Unknown parameter' },
      ],
    })
  })

  test('accepts unknown parameters where it declares them, and where it declares no schema', async () => {
    await request(app).get('/search?q=x&colour=red').expect(200, { q: 'x', colour: 'red' })
    await request(app).get('/plain?colour=red').expect(200)
    const transformed = request(app).patch(`/things/${id}?dry=yes`).set('x-reason', 'because')
    await transformed.send({ title: 'abc' }).expect(200, { isDry: true })
  })

  test('rejects a repeated parameter', async () => {
    await send({ title: 'abc' }, { path: `/things/${id}?dry=yes&dry=no` }).expect(422)
  })

  test('responds with 404 to an invalid id before it looks at other fields', async () => {
    const refused = await send({}, { path: '/things/7' }).expect(404)
    expect(refused.body).toMatchObject({ code: 'not_found' })
  })

  test('responds with 428 to a missing if-match before it looks at other fields', async () => {
    expect((await request(app).delete('/things/1').expect(428)).body).toMatchObject({ code: 'precondition_required' })
    await request(app).delete('/things/1').set('if-match', '"1"').expect(422)
    await send({ title: 'abc', 'if-match': 1 }).expect(422)
    await request(app).delete('/things/1?dry=yes').set('if-match', '"1"').expect(204)
  })
})
