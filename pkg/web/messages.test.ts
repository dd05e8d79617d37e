import { createServer, type Server } from 'node:http'
import { afterEach, expect, test } from '@jest/globals'
import express, { type Express, type RequestHandler, type Response } from 'express'
import helmet from 'helmet'
import request from 'supertest'
import { messagesFor } from './messages.ts'
import { DATA_POLICY, securityHeaders } from './security-headers.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

function serve(handlers: readonly RequestHandler[], withMessages = true) {
  const app: Express = express()
  app.disable('etag')
  const messages = withMessages ? messagesFor(app) : {}
  for (const handler of handlers) app.use(handler)
  const server = createServer(messages, app).listen(0)
  servers.push(server)
  return request(server)
}

const json = (body: unknown, prepare = (_res: Response): unknown => undefined): RequestHandler => {
  return (_req, res) => {
    prepare(res)
    res.json(body)
  }
}

test('the headers are those that helmet sets, in its order', async () => {
  const ours = await serve([securityHeaders(), json({})]).get('/')
  const helmets = await serve([helmet(DATA_POLICY), json({})], false).get('/')
  const names = Object.keys(helmets.headers).filter((name) => !['date', 'x-powered-by'].includes(name))
  expect(names.length).toBeGreaterThan(12)
  for (const name of names) expect([name, ours.headers[name]]).toEqual([name, helmets.headers[name]])
})

test.each([
  { body: { a: 'ü', b: [1, null] } },
  { body: null },
  { body: undefined },
  { body: 'text' },
  { body: { a: 1 }, status: 201 },
  { body: { a: 1 }, status: 204 },
  { body: { a: 1 }, status: 205 },
  { body: { a: 1 }, headers: { 'content-type': 'application/problem+json' } },
  { body: { a: 1 }, headers: { etag: '"1"' } },
  { body: { a: 1 }, headers: { 'last-modified': new Date(0).toUTCString() } },
])('json answers as Express does: %j', async ({ body, status = 200, headers = {} }) => {
  const handler = json(body, (res) => res.status(status).set(headers))
  const condition = status === 200 && !('etag' in headers) ? '*' : '"1"'
  for (const method of ['get', 'head'] as const) {
    const answers = [serve([handler]), serve([handler], false)].map((client) =>
      client[method]('/').set('if-none-match', condition).set('if-modified-since', new Date().toUTCString()),
    )
    const [ours, express] = await Promise.all(answers)
    expect(ours?.status).toBe(express?.status)
    expect(ours?.text).toBe(express?.text)
    const { date: _1, 'x-powered-by': _2, ...expected } = express?.headers ?? {}
    expect(ours?.headers).toMatchObject(expected)
  }
})

test('what a request was made with is known at once: a router finds its prototype in place', async () => {
  let swapped = 0
  const app = express()
  const messages = messagesFor(app)
  app.get('/', (req, res) => {
    swapped += Number(Object.getPrototypeOf(req) !== messages.IncomingMessage.prototype)
    swapped += Number(Object.getPrototypeOf(res) !== messages.ServerResponse.prototype)
    res.json({ ip: req.ip, xhr: req.xhr, query: req.query, fresh: req.fresh })
  })
  const server = createServer(messages, app).listen(0)
  servers.push(server)
  const { body } = await request(server).get('/?a=1').set('x-requested-with', 'XMLHttpRequest').expect(200)
  expect(body).toMatchObject({ xhr: true, query: { a: '1' }, fresh: false })
  expect(swapped).toBe(0)
})
