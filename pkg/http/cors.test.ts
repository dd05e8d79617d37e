import { createServer, type Server } from 'node:http'
import { afterAll, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { CodedError, notFound, problemHandler } from '../problem/index.ts'
import { type CorsOptions, cors } from './cors.ts'

const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

function serve(options?: CorsOptions) {
  const app = express()
  if (options) app.use(cors(options))
  app.get('/things', (_req, res) => void res.json({}))
  app.post('/things', () => {
    throw new Error('broken')
  })
  app.options('/things', (_req, res) => void res.status(204).set('allow', 'GET, HEAD, OPTIONS, POST').end())
  app.all('/things', () => {
    throw new CodedError('method_not_allowed')
  })
  app.use(notFound(), problemHandler())
  const server = createServer(app).listen(0)
  servers.push(server)
  return request(server)
}

const OWN = 'https://app.example.com'
const client = serve({ origins: [OWN, 'http://localhost:5173'] })
const any = serve({ origins: ['*'], credentials: true })

const pickCorsHeaders = (headers: object) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => /^(access-control|vary)/.test(name)))

test.each([OWN, 'http://localhost:5173'])('a page of %s may read responses and errors', async (origin) => {
  const expected = {
    vary: 'origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': expect.stringMatching(/\betag, .*location, .*retry-after, .*x-request-id/),
  }
  const requests = [client.get('/things'), client.post('/things'), client.put('/things'), client.get('/nothing')]
  const statuses: number[] = []
  for (const sent of requests) {
    const { headers, status } = await sent.set('origin', origin)
    statuses.push(status)
    expect(pickCorsHeaders(headers)).toEqual(expected)
  }
  expect(statuses).toEqual([200, 500, 405, 404])
})

test('a preflight request gets a response that browsers cache', async () => {
  const { headers } = await client
    .options('/things')
    .set('origin', OWN)
    .set('access-control-request-method', 'PATCH')
    .set('access-control-request-headers', 'authorization,content-type')
    .expect(204)
  expect(headers).not.toHaveProperty('allow')
  expect(pickCorsHeaders(headers)).toEqual({
    vary: 'origin, access-control-request-headers',
    'access-control-allow-origin': OWN,
    'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers': 'authorization,content-type',
    'access-control-max-age': '7200',
  })
})

test('the route handles OPTIONS without preflight headers', async () => {
  await client.options('/things').set('origin', OWN).expect(204).expect('allow', 'GET, HEAD, OPTIONS, POST')
})

test.each([
  'null',
  'https://app.example.com.evil.net',
  'https://evilapp.example.com',
  'https://app.example.com:8443',
  'http://app.example.com',
  'HTTPS://APP.EXAMPLE.COM',
  'https://app.example.com/',
  'https://app.example.com https://evil.net',
  'https://app.example.com,https://evil.net',
  'https://example.com',
  '*',
  '',
])('a page of %j gets no CORS headers', async (origin) => {
  const { headers } = await client.get('/things').set('origin', origin).expect(200)
  expect(pickCorsHeaders(headers)).toEqual({ vary: 'origin' })
  const preflight = await client
    .options('/things')
    .set('origin', origin)
    .set('access-control-request-method', 'POST')
    .expect(204)
  expect(pickCorsHeaders(preflight.headers)).toEqual({ vary: 'origin' })
})

test.each([
  ['some origins', client],
  ['any origin', any],
])('with %s the response to a request without an origin has vary, for caches', async (_name, client) => {
  const { headers } = await client.get('/things')
  expect(pickCorsHeaders(headers)).toEqual({ vary: 'origin' })
})

test('cookies are allowed for exact origins only', async () => {
  const credentials = await serve({ origins: [OWN], credentials: true })
    .get('/things')
    .set('origin', OWN)
  expect(credentials.headers).toMatchObject({ 'access-control-allow-credentials': 'true' })
  const { headers } = await any.get('/things').set('origin', 'null')
  expect(pickCorsHeaders(headers)).toEqual({
    vary: 'origin',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': expect.any(String),
  })
})

test('without the middleware a response has no CORS headers', async () => {
  const { headers } = await serve().get('/things').set('origin', OWN)
  expect(pickCorsHeaders(headers)).toEqual({})
})
