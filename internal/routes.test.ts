import { createServer } from 'node:http'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { Validator } from '@seriousme/openapi-schema-validator'
import express from 'express'
import request from 'supertest'
import { registerRoute } from '#pkg/operation/index.ts'
import { createExaminer, type OpenapiDocument } from '../test/support/openapi.ts'
import { createAccess } from './access.ts'
import { listResources } from './resources.ts'
import { listRoutes, type RouteSettings, type RoutesDeps } from './routes.ts'
import type { Postgres } from './store/postgres.ts'
import { createUpstreams, type UpstreamsDeps } from './upstreams.ts'

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const

// Not called: the document is rendered from the declarations of the routes.
const db = { withTables: () => undefined } as unknown as Postgres['db']

const access = {
  ...{ issuer: 'i', audience: 'a', jwksUrl: 'https://i', service: 's', context: { outgoingHeaders: () => ({}) } },
  sessions: { secrets: ['x'.repeat(32)], ttlMs: 1, secure: true },
  redis: { run: () => Promise.reject(new Error('not used')) },
}

const off = new Set<string>()
let NODE_ENV = 'production'
// The settings of other operations are absent: their handlers read them at a request.
const partial = (): Partial<RouteSettings> => ({
  NODE_ENV,
  FEATURES: (['docs', 'version'] as const).filter((feature) => !off.has(feature)),
})
const settings = partial as () => RouteSettings
function createApp(deps: RoutesDeps) {
  const app = express()
  for (const route of listRoutes(deps)) registerRoute(app, route, { readBody: () => express.json() })
  return app
}
const resources = listResources({ db, settings, onError: () => {} })
const upstreams = createUpstreams({
  upstreams: [{ name: 'payments', source: { type: 'static', origins: [] } }],
  health: { watch() {} },
} as unknown as UpstreamsDeps).routes
const app = createApp({
  settings,
  optional: [...resources, ...upstreams],
})
const server = createServer(app).listen(0)
const ask = async (): Promise<OpenapiDocument> => (await request(server).get('/openapi.json').expect(200)).body

let document: OpenapiDocument
beforeAll(async () => {
  document = await ask()
})
afterAll(() => {
  server.close()
})

test('the document is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate({ ...structuredClone(document) })
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined })
  expect(document).toMatchObject({
    openapi: '3.1.1',
    info: { title: 'my-service' },
  })
})

test('the document has every route of the router except the pages, and no other path except the probes', () => {
  const registered = app.router.stack.flatMap(({ route }) =>
    METHODS.filter((method) => route?.stack.some((layer) => layer.method === method)).map(
      (method) => `${method} ${route?.path.replaceAll(/:(\w+)/g, '{$1}')}`,
    ),
  )
  const described = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  const probes = ['get /health', 'get /health/live', 'get /health/ready', 'get /health/startup']
  expect(registered).toContain('get /ping')
  const pages = ['get /', 'get /docs', 'get /docs/{file}']
  expect(described.sort()).toEqual([...registered.filter((each) => !pages.includes(each)), ...probes].sort())
})

const operations = () => Object.values(document.paths).flatMap((methods) => Object.values(methods))

test('every operation that may be refused during overload shows its priority', () => {
  const { paths } = document
  expect(paths['/ping']?.['get']).toMatchObject({ 'x-priority': 'normal', responses: { 503: expect.anything() } })
  expect(paths['/openapi.json']?.['get']).toMatchObject({ 'x-priority': 'background' })
  expect(paths['/health']?.['get']).not.toHaveProperty('x-priority')
})

test('each operation has a unique id', () => {
  const ids = operations().map(({ operationId }) => operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test('every response with a body has an example, and each example matches its schema', () => {
  const examine = createExaminer(document)
  let examined = 0
  for (const { operationId, responses } of operations()) {
    for (const [status, { content = {} }] of Object.entries(responses)) {
      for (const { schema, example, examples = {} } of Object.values(content)) {
        // A page has no schema.
        if (schema === undefined) continue
        const given = [
          ...(example === undefined ? [] : [example]),
          ...Object.values(examples).map(({ value }) => value),
        ]
        if (operationId !== 'openapi' || status !== '200') expect([operationId, status, given.length]).not.toContain(0)
        for (const value of given) {
          examined++
          expect([operationId, status, value, examine(schema, value)]).toEqual([operationId, status, value, []])
        }
      }
    }
  }
  expect(examined).toBeGreaterThan(10)
})

test('every JSON body of a request has an example, and each example matches its schema', () => {
  const examine = createExaminer(document)
  const bodies = operations().flatMap(({ requestBody }) => Object.values(requestBody?.content ?? {}))
  for (const { schema, example } of bodies) {
    if (schema === undefined) continue
    expect([schema, example]).toEqual([schema, expect.anything()])
    expect(examine(schema, example)).toEqual([])
  }
})

test('every body has a schema with a name, so that the types of generated clients have names', () => {
  const others = operations().filter(({ operationId }) => operationId !== 'openapi')
  const bodies = others.flatMap(({ requestBody, responses }) => [requestBody, ...Object.values(responses)])
  const contents = bodies.flatMap((body) => Object.values(body?.content ?? {}))
  const schemas = contents.flatMap(({ schema }) => (schema === undefined ? [] : [schema]))
  const names = Object.keys(document.components.schemas).map((name) => ({ $ref: `#/components/schemas/${name}` }))
  expect(names).toContainEqual({ $ref: '#/components/schemas/Problem' })
  for (const schema of schemas) expect(names).toContainEqual(schema)
})

test('every parameter has a description', () => {
  const parameters = operations().flatMap(({ parameters = [] }) => parameters)
  expect(parameters.length).toBeGreaterThan(0)
  expect(parameters.filter(({ description = '' }) => description === '')).toEqual([])
})

test('the document shows the authentication of every operation that is not public', async () => {
  const { routes: optional, guard } = await createAccess(access)
  const guarded = createApp({ settings, optional, guard })
  const { body } = await request(guarded).get('/openapi.json').expect(200)
  const { valid, errors: mistakes } = await new Validator().validate(structuredClone(body))
  expect({ valid, mistakes }).toEqual({ valid: true, mistakes: undefined })
  expect(body.components.securitySchemes).toEqual({
    bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: expect.any(String) },
    session: { type: 'apiKey', in: 'cookie', name: '__Host-session' },
  })
  const session = Object.values<Record<string, object>>(body.paths['/v1/session'])
  for (const operation of [...session, body.paths['/version'].get, body.paths['/openapi.json'].get]) {
    expect(operation).toMatchObject({ security: [{ bearer: [] }, { session: [] }] })
    expect(Object.keys(operation['responses'] ?? {})).toEqual(expect.arrayContaining(['401', '403', '503']))
  }
  expect(body.paths['/ping'].get).toMatchObject({ security: [] })
  expect(operations().filter((operation) => !('security' in operation))).toEqual([])
  expect(Object(document).components).not.toHaveProperty('securitySchemes')
})

test('a disabled path is missing from the document, and the document can be disabled too', async () => {
  off.add('version')
  expect((await ask()).paths).not.toHaveProperty('/version')
  off.delete('version')
  expect((await ask()).paths).toHaveProperty('/version')
  off.add('docs')
  await request(server).get('/openapi.json').expect(404)
  off.delete('docs')
})

test('in development a browser finds links at /, and in production the path does not exist', async () => {
  await request(server).get('/').expect(404)
  NODE_ENV = 'development'
  const { text } = await request(server)
    .get('/')
    .expect(200)
    .expect('content-type', /^text\/html/)
  NODE_ENV = 'production'
  const paths = [...text.matchAll(/href="([^"]+)"/g)].map(([, path = '']) => path)
  expect(paths).toEqual(['/ping', '/health', '/docs', '/openapi.json'])
})

test('every operation behind the rate limit documents its headers, and the 429 documents the time to wait', () => {
  const { responses } = document.paths['/ping']!['get']!
  for (const response of Object.values(responses)) {
    expect(response).toMatchObject({ headers: { RateLimit: expect.anything(), 'RateLimit-Policy': expect.anything() } })
  }
  expect(responses['429']).toMatchObject({ headers: { 'Retry-After': expect.anything() } })
})

test('the document states the errors of a body, the unchanged version and the page', () => {
  for (const [path, { get, post, patch }] of Object.entries(document.paths)) {
    if (post) expect(Object.keys(post.responses)).toEqual(expect.arrayContaining(['400', '413', '415']))
    // An item that can change has versions.
    if (path.endsWith('/{id}') && patch) expect(get!.responses).toHaveProperty('304')
  }
  expect(document.paths['/health']!['get']!.responses['200']!.content).toHaveProperty('text/html')
})
