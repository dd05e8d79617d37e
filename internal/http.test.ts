import { AsyncResource } from 'node:async_hooks'
import { createServer, type RequestListener, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterAll, afterEach, describe, expect, test } from '@jest/globals'
import request from 'supertest'
import * as z from 'zod'
import { deadline } from '#pkg/http/deadline.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation } from '#pkg/operation/index.ts'
import { collectLines, findLineProblems } from '../test/support/log-fields.ts'
import { ping } from './handler/ping.ts'
import { createHttp } from './http.ts'
import { createServer as createLimitedServer } from './server.ts'

const { lines, ...logOptions } = collectLines()
const context = createRequestContext()
const echo = operation({
  id: 'echo',
  summary: 'Responds with the body',
  body: z.looseObject({}),
  responses: { 200: { description: 'The body', schema: () => z.unknown() } },
  handler: (req, res) => void res.json(req.body),
})
const app = createHttp({
  logger: createLogger(logOptions),
  context,
  trustProxy: 1,
  bodyLimitBytes: 1_000,
  rateLimit: (_req, _res, next) => next(),
  routes: [
    { path: '/ping', get: ping() },
    { path: '/echo', post: echo },
  ],
})
const server: Server = createServer(app).listen(0)
const client = request(server)

afterEach(() => {
  expect(lines.splice(0).flatMap(findLineProblems)).toEqual([])
})
afterAll(() => {
  server.close()
})

test('the calls of a request are cancelled when its caller disconnects while the rate limit waits', async () => {
  const arrived = Promise.withResolvers<void>()
  const isCancelled = Promise.withResolvers<boolean | undefined>()
  const probe = operation({
    id: 'probe',
    summary: 'Reports whether the calls are cancelled',
    responses: { 204: { description: 'Done' } },
    handler: () => isCancelled.resolve(context.current()?.signal?.aborted),
  })
  const limited = createServer(
    createHttp({
      logger: createLogger(logOptions),
      context,
      trustProxy: 1,
      bodyLimitBytes: 1_000,
      deadline: deadline({ context, timeoutMs: 60_000 }),
      rateLimit(_req, res, next) {
        res.once(
          'close',
          AsyncResource.bind(() => next()),
        )
        arrived.resolve()
      },
      routes: [{ path: '/probe', get: probe }],
    }),
  ).listen(0)
  const caller = connect((limited.address() as AddressInfo).port)
  caller.write('GET /probe HTTP/1.1\r\nhost: x\r\n\r\n')
  await arrived.promise
  caller.destroy()
  expect(await isCancelled.promise).toBe(true)
  limited.close()
})

const MINTED = /^[a-z0-9]{10,20}-\d+$/

describe('/ping', () => {
  test('responds with pong to GET and without a body to HEAD', async () => {
    const response = await client.get('/ping').expect(200).expect('content-type', 'application/json; charset=utf-8')
    expect(response.body).toEqual({ message: 'pong' })
    const head = await client.head('/ping').expect(200).expect('content-length', '18')
    expect(head.text).toBeUndefined()
  })
})

describe('headers', () => {
  test('include the security headers and do not name the software', async () => {
    const { headers } = await client.get('/ping')
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none'",
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    expect(headers).not.toHaveProperty('strict-transport-security')
    const overTls = await client.get('/ping').set('x-forwarded-proto', 'https')
    expect(overTls.headers['strict-transport-security']).toBe('max-age=31536000; includeSubDomains')
    expect(headers).not.toHaveProperty('x-powered-by')
    expect(headers).not.toHaveProperty('server')
    expect(headers).not.toHaveProperty('etag')
  })

  test('a valid request id is kept, and an invalid id is replaced', async () => {
    await client.get('/ping').set('x-request-id', 'trace_01.ABC-9').expect('x-request-id', 'trace_01.ABC-9')
    const minted = new Set<unknown>()
    for (const hostile of ['', 'a b', 'x'.repeat(129), '"><script>', 'ä']) {
      const { headers } = await client.get('/ping').set('x-request-id', Buffer.from(hostile).toString('latin1'))
      expect(headers['x-request-id']).toMatch(MINTED)
      minted.add(headers['x-request-id'])
    }
    expect(minted.size).toBe(5)
  })
})

describe('errors are problem documents', () => {
  const json = 'application/json'
  const cases = [
    ['an unknown path', () => client.get('/nothing'), 404, 'not_found'],
    ['an unknown path below a known one', () => client.get('/health/unknown'), 404, 'not_found'],
    ['a path that cannot be decoded', () => client.get('/%E0%A4%A'), 404, 'not_found'],
    ['another method', () => client.delete('/ping'), 405, 'method_not_allowed'],
    ['a method that no path has', () => client.propfind('/ping'), 405, 'method_not_allowed'],
    ['TRACE', () => client.trace('/ping'), 405, 'method_not_allowed'],
    ['a path in another case', () => client.get('/Ping'), 404, 'not_found'],
    ['an encoded letter of a path', () => client.get('/%70ing'), 404, 'not_found'],
    ['malformed JSON', () => client.post('/echo').type(json).send('{"a":'), 400, 'malformed_json'],
    ['JSON that is not an object', () => client.post('/echo').type(json).send('"text"'), 400, 'malformed_json'],
    ['a body that is too large', () => client.post('/echo').send({ a: 'x'.repeat(1_000) }), 413, 'body_too_large'],
    ['a form', () => client.post('/echo').type('form').send('a=1'), 415, 'unsupported_media_type'],
    [
      'a body without a type',
      () => client.post('/echo').set('content-type', '').send('a'),
      415,
      'unsupported_media_type',
    ],
    [
      'an unknown charset',
      () => client.post('/echo').set('content-type', 'application/json; charset=klingon').send('{}'),
      415,
      'unsupported_charset',
    ],
    [
      'a Windows charset, whose table is not in the bundle',
      () => client.post('/echo').set('content-type', 'application/json; charset=windows-1252').send('{}'),
      415,
      'unsupported_charset',
    ],
    [
      'a charset whose name only looks like Unicode',
      () => client.post('/echo').set('content-type', 'application/json;charset="UTF-7"').send('{}'),
      415,
      'unsupported_charset',
    ],
    [
      'a body that is not brotli',
      () => client.post('/echo').type(json).set('content-encoding', 'br').send('not brotli at all'),
      400,
      'bad_request',
    ],
    [
      'an unknown encoding',
      () => client.post('/echo').type(json).set('content-encoding', 'zstd-x').send('{}'),
      415,
      'unsupported_encoding',
    ],
    [
      'a body that does not match its content-encoding',
      () => client.post('/echo').type(json).set('content-encoding', 'gzip').send('{"a":1}'),
      400,
      'bad_request',
    ],
  ] as const

  test.each(cases)('%s', async (_name, send, status, code) => {
    const response = await send().expect(status).expect('content-type', 'application/problem+json; charset=utf-8')
    expect(response.body).toEqual({
      type: 'about:blank',
      title: expect.any(String),
      status,
      detail: expect.any(String),
      code,
      requestId: response.headers['x-request-id'],
    })
    expect(response.headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  })

  test('the responses to a wrong method and to OPTIONS list the allowed methods', async () => {
    await client.post('/ping').expect(405).expect('allow', 'GET, HEAD, OPTIONS')
    await client.options('/ping').expect(204).expect('allow', 'GET, HEAD, OPTIONS')
  })

  test('a small archive of a large body is rejected at the limit of the body', async () => {
    const bomb = gzipSync(JSON.stringify({ a: '0'.repeat(1_000_000) }))
    expect(bomb.length).toBeLessThan(2_000)
    const post = client
      .post('/echo')
      .type(json)
      .set('content-encoding', 'gzip')
      .serialize((body) => body)
    await post.send(bomb).expect(413)
  })

  test('query strings contain no objects', () => {
    expect(app.get('query parser fn')('a[b]=1&a[__proto__][x]=1')).toEqual({ 'a[b]': '1', 'a[__proto__][x]': '1' })
  })
})

describe('the server', () => {
  const limits = { headersTimeoutMs: 80, requestTimeoutMs: 100, keepAliveTimeoutMs: 120, socketTimeoutMs: 1_500 }

  function open(listener: RequestListener, bytes: string): Socket {
    const limited = createLimitedServer({ ...limits, ownsSocket: true, probe: () => false })
    limited.handle(listener)
    limited.server.listen(0).unref()
    const socket = connect((limited.server.address() as AddressInfo).port)
    socket.write(bytes)
    return socket
  }

  test.each([
    ['headers that do not end', 'GET / HTTP/1.1\r\nhost:', 'HTTP/1.1 408'],
    ['a body that does not arrive', 'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n', 'HTTP/1.1 408'],
    ['a handler that does not respond', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', ''],
  ])('ends a connection with %s', async (_name, bytes, status) => {
    expect((await text(open(() => {}, bytes))).slice(0, 12)).toBe(status)
  })

  test('ends a connection that is idle', async () => {
    const idle = open((_req, res) => void res.end('ok'), 'GET / HTTP/1.1\r\nhost: x\r\n\r\n')
    expect(await text(idle)).toMatch(/^HTTP\/1\.1 200.*\r\nok$/s)
  })
})

describe('the access line', () => {
  test('has the request, the client and the result, without the query string', async () => {
    await client
      .get('/ping?token=hunter2')
      .set('x-request-id', 'r-1')
      .set('x-forwarded-for', '198.51.100.7, 203.0.113.9')
      .set('authorization', 'Bearer hunter2')
      .set('cookie', 'session=hunter2')
      .expect(200)
    expect(lines).toEqual([
      {
        'log.level': 'info',
        '@timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
        'ecs.version': expect.any(String),
        ...logOptions.base,
        'http.request.id': 'r-1',
        'trace.id': expect.stringMatching(/^[0-9a-f]{32}$/),
        'span.id': expect.stringMatching(/^[0-9a-f]{16}$/),
        'http.request.method': 'GET',
        'url.path': '/ping',
        'http.response.status_code': 200,
        'event.duration': expect.any(Number),
        'http.response.body.bytes': 18,
        // One proxy is trusted. The client itself sent the addresses before it.
        'client.address': '203.0.113.9',
        'client.ip': '203.0.113.9',
        message: 'request',
      },
    ])
  })

  test('is written once for each outcome', async () => {
    await client.get('/nothing')
    await client.post('/echo').type('json').send('{')
    await client.head('/ping')
    expect(
      lines.map((line) => [
        line['http.request.method'],
        line['url.path'],
        line['http.response.status_code'],
        line['http.response.body.bytes'],
      ]),
    ).toEqual([
      ['GET', '/nothing', 404, expect.any(Number)],
      ['POST', '/echo', 400, expect.any(Number)],
      ['HEAD', '/ping', 200, 0],
    ])
  })

  test('of a very long path is truncated', async () => {
    await client.get(`/${'x'.repeat(5_000)}`).expect(404)
    expect(String(lines[0]?.['url.path'])).toHaveLength(1_024)
  })
})
