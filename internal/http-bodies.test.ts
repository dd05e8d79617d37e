import { createHmac } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { request as send } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Readable } from 'node:stream'
import { afterAll, describe, expect, test } from '@jest/globals'
import request from 'supertest'
import * as z from 'zod'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation } from '#pkg/operation/index.ts'
import { createHttp } from './http.ts'

/* Bodies of every kind, through the whole stack. The JSON bodies are in http.test.ts. */

const KEY = 'the key of the webhook'
const sign = (bytes: Buffer | string) => createHmac('sha256', KEY).update(bytes).digest('hex')
const responses = { 200: { description: 'The result', schema: () => z.unknown() } }

const webhook = operation({
  id: 'webhook',
  summary: 'Verifies the signature of a webhook',
  body: { type: 'raw', mediaTypes: ['application/json'], maxBytes: 200 },
  responses,
  handler: (req, res) => void res.json({ valid: req.get('x-signature') === sign(req.body), bytes: req.body.length }),
})

const form = operation({
  id: 'form',
  summary: 'Reads a form',
  body: { type: 'form', schema: z.strictObject({ name: z.string().max(5), age: z.coerce.number() }) },
  responses,
  handler: (req, res) => void res.json(req.body),
})

const events = new EventEmitter()

async function countBytes(body: Readable): Promise<number> {
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    events.emit('bytes', bytes)
  }
  return bytes
}

const upload = operation({
  id: 'upload',
  summary: 'Counts the bytes of an upload',
  body: { type: 'stream', mediaTypes: ['application/octet-stream'], maxBytes: 100_000 },
  responses,
  handler: async (req, res) => {
    try {
      res.json({ bytes: await countBytes(req.body) })
    } catch (error) {
      events.emit('failed', (error as { code?: unknown }).code)
      throw error
    }
  },
})

const idle = operation({
  id: 'idle',
  summary: 'Never reads its upload',
  body: { type: 'stream', mediaTypes: ['application/octet-stream'], maxBytes: 100_000 },
  responses,
  handler: (req, res) => {
    if (req.url.includes('?')) return void res.json({})
    req.body.once('close', () => events.emit('closed'))
    events.emit('arrived')
  },
})

const ignore = operation({
  id: 'ignore',
  summary: 'Has no body',
  responses,
  handler: (req, res) => void res.json({ body: typeof req.body }),
})

const app = createHttp({
  logger: createLogger({ destination: { write() {} } }),
  context: createRequestContext(),
  trustProxy: 0,
  bodyLimitBytes: 100,
  rateLimit: (_req, _res, next) => next(),
  routes: [
    { path: '/webhook', post: webhook },
    { path: '/form', post: form },
    { path: '/upload', post: upload },
    { path: '/idle', post: idle },
    { path: '/ignore', post: ignore },
  ],
})
const server = app.listen(0)
const { port } = server.address() as AddressInfo
const client = request(server)
afterAll(() => {
  server.close()
  server.closeAllConnections()
})

const octets = 'application/octet-stream'
const post = (path: string, type: string, body: string | Buffer) =>
  client
    .post(path)
    .set('content-type', type)
    .serialize((body) => body)
    .send(body)

describe('a raw body', () => {
  test('has the exact bytes that the sender signed', async () => {
    for (const body of ['{"a": 1,\r\n "b":"\u20ac"}', 'not JSON', `{"${'x'.repeat(150)}":1}`]) {
      const response = await post('/webhook', 'application/json', body).set('x-signature', sign(body)).expect(200)
      expect(response.body).toEqual({ valid: true, bytes: Buffer.byteLength(body) })
    }
  })

  test('is an empty Buffer when the request has no body', async () => {
    await client.post('/webhook').set('x-signature', sign('')).expect(200, { valid: true, bytes: 0 })
  })

  test('has its own limit and media types', async () => {
    expect((await post('/webhook', 'application/json', 'x'.repeat(201)).expect(413)).body.code).toBe('body_too_large')
    expect((await post('/webhook', 'text/plain', 'x').expect(415)).body.code).toBe('unsupported_media_type')
  })
})

describe('a form', () => {
  const type = 'application/x-www-form-urlencoded'

  test('reaches the handler as its schema parses it', async () => {
    await post('/form', type, 'name=%C3%84da&age=7').expect(200, { name: 'Äda', age: 7 })
  })

  test('has each invalid field in its errors', async () => {
    const { body } = await post('/form', type, 'name=Augusta&age=old&admin=1').expect(422)
    expect(body.errors.map(({ in: source, field }: { in: string; field: string }) => `${source} ${field}`)).toEqual([
      'body name',
      'body age',
      'body admin',
    ])
  })

  test('of another media type or above the limit is rejected', async () => {
    expect((await post('/form', 'application/json', '{"name":"Ada","age":7}').expect(415)).body.code).toBe(
      'unsupported_media_type',
    )
    expect((await post('/form', type, `name=${'x'.repeat(100)}`).expect(413)).body.code).toBe('body_too_large')
  })
})

describe('a stream', () => {
  test('reaches the handler while the client still sends', async () => {
    const upload = send({
      port,
      host: '127.0.0.1',
      path: '/upload',
      method: 'POST',
      headers: { 'content-type': octets },
    })
    const responded = once(upload, 'response')
    const arrived = once(events, 'bytes')
    upload.write('half')
    expect(await arrived).toEqual([4])
    upload.end(' of it')
    const [response] = await responded
    expect(JSON.parse(String((await response.toArray()).join('')))).toEqual({ bytes: 10 })
  })

  test('without a body has no bytes', async () => {
    await client.post('/upload').expect(200, { bytes: 0 })
  })

  test('that announces too many bytes, or has another media type, is rejected before the handler', async () => {
    expect((await post('/upload', octets, Buffer.alloc(100_001)).expect(413)).body.code).toBe('body_too_large')
    expect((await post('/upload', 'text/plain', 'x').expect(415)).body.code).toBe('unsupported_media_type')
  })

  /** Sends chunked requests in sequence on one connection. Resolves with the statuses. */
  async function sendChunked(path: string, chunks: readonly number[]): Promise<string[]> {
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: ${octets}\r\ntransfer-encoding: chunked\r\n\r\n`)
    for (const bytes of chunks) socket.write(`${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`)
    socket.write('0\r\n\r\nPOST /ignore HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    const text = (await socket.toArray()).join('')
    return text.match(/(?<=HTTP\/1\.1 )\d+|(?<="code":")\w+/g) ?? []
  }

  test('that exceeds the limit while it streams fails with 413, and the connection remains usable', async () => {
    const failed = once(events, 'failed')
    expect(await sendChunked('/upload', Array(40).fill(20_000))).toEqual(['413', 'body_too_large', '200'])
    expect(await failed).toEqual(['body_too_large'])
  })

  test('that the handler does not read is discarded after the response', async () => {
    expect(await sendChunked('/idle?respond', [99_000])).toEqual(['200', '200'])
    expect(await sendChunked('/idle?respond', Array(40).fill(20_000))).toEqual(['200', '200'])
  })

  test('of a client that disconnects fails with incomplete_body', async () => {
    const arrived = once(events, 'bytes')
    const failed = once(events, 'failed')
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST /upload HTTP/1.1\r\nhost: x\r\ncontent-type: ${octets}\r\ncontent-length: 10\r\n\r\nhalf`)
    await arrived
    socket.destroy()
    expect(await failed).toEqual(['incomplete_body'])
  })

  test('of a client that disconnects before the handler reads does not end the process', async () => {
    const arrived = once(events, 'arrived')
    const closed = once(events, 'closed')
    const socket = connect(port, '127.0.0.1')
    socket.write(`POST /idle HTTP/1.1\r\nhost: x\r\ncontent-type: ${octets}\r\ncontent-length: 10\r\n\r\nhalf`)
    await arrived
    socket.destroy()
    await closed
    await client.post('/ignore').expect(200)
  })
})

const bodies = [
  ['malformed JSON', 'application/json', '{'],
  ['a large body', 'application/json', JSON.stringify({ a: 'x'.repeat(1_000) })],
  ['an unknown charset', 'application/json; charset=klingon', '{}'],
  ['an unknown media type', 'x/y', 'x'],
] as const

test.each(bodies)('an unknown path is 404 and an operation without a body ignores %s', async (_name, type, body) => {
  expect((await post('/nothing', type, body).expect(404)).body.code).toBe('not_found')
  await post('/ignore', type, body).expect(200, { body: 'undefined' })
  await post('/ignore', type, body).set('content-encoding', 'unknown').expect(200, { body: 'undefined' })
})
