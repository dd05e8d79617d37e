import { EventEmitter, once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { CodedError, problemHandler } from '../problem/index.ts'
import { createBodyReader } from './body.ts'

const errors = new EventEmitter()
const app = express()
app.use(createBodyReader(40)({ type: 'json' }))
app.post('/', (req, res) => void res.json({ body: req.body ?? null }))
app.use(
  (
    error: { code?: unknown; type?: unknown },
    _req: express.Request,
    _res: express.Response,
    next: express.NextFunction,
  ) => {
    errors.emit('rejected', error.type ?? error.code)
    next(error)
  },
)
app.use(problemHandler())
const server: Server = app.listen(0)
afterAll(() => {
  server.close()
})

const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}, app: unknown = server) =>
  request(app as Server)
    .post('/')
    .set({ 'content-type': 'application/json', ...headers })
    .serialize((body) => body)
    .send(body)

/** `createBodyReader` reads the first two without the parser of Express. */
const formats = [
  ['plain', {}, (text: string) => Buffer.from(text)],
  ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, (text: string) => Buffer.from(text)],
  ['compressed', { 'content-encoding': 'gzip' }, (text: string) => gzipSync(text)],
  ['of a JSON type', { 'content-type': 'application/merge-patch+json' }, (text: string) => Buffer.from(text)],
] as const

test.each(formats)('a body %s is read', async (_name, headers, encode) => {
  for (const text of ['{"a":"ä€😀"}', '[1,2]', ' {"a":1}\n', '\ufeff{"a":1}', `{"a":"${'x'.repeat(32)}"}`]) {
    const { body } = await post(encode(text), headers).expect(200)
    expect(body).toEqual({ body: JSON.parse(text.replace('\ufeff', '')) })
  }
})

test.each(formats)('an invalid body %s is rejected', async (_name, headers, encode) => {
  for (const text of ['{', '"text"', 'null', '1', '   ', '{"a":1}}', '{a:1}']) {
    expect((await post(encode(text), headers).expect(400)).body).toMatchObject({ code: 'malformed_json' })
  }
  await post(encode(`{"a":"${'x'.repeat(33)}"}`), headers).expect(413)
})

test('a request without a body has no req.body', async () => {
  expect((await request(server).post('/').expect(200)).body).toEqual({ body: null })
})

/** Sends the head of a request with a body of 11 bytes, and resolves when the server has received it. */
async function begin(type = 'application/json'): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const arrived = once(server, 'request')
  socket.write(`POST / HTTP/1.1\r\nhost: x\r\ncontent-type: ${type}\r\ncontent-length: 11\r\n`)
  socket.write('connection: close\r\n\r\n')
  await arrived
  return socket
}

test('a character that is split between chunks is decoded', async () => {
  const socket = await begin()
  const body = Buffer.from('{"a":"€"}')
  socket.write(body.subarray(0, 7))
  await setImmediate()
  socket.write(body.subarray(7))
  expect(await text(socket)).toContain('{"body":{"a":"€"}}')
})

test.each([
  ['plain', 'application/json', 'incomplete_body'],
  ['of another JSON type', 'application/merge-patch+json', 'request.aborted'],
])('a body %s that ends early is rejected', async (_name, type, expected) => {
  const socket = await begin(type)
  const rejected = once(errors, 'rejected')
  socket.destroy()
  expect(await rejected).toEqual([expected])
})

test.each([
  ['plain', { 'content-type': 'application/json' }, '{"a":"ä€😀"}'],
  ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, '[1,2]'],
  ['with a byte order mark', { 'content-type': 'application/json' }, '\ufeff{"a":1}'],
  ['with white space', { 'content-type': 'application/json' }, ' {"a":1}\n'],
  ['of another JSON type', { 'content-type': 'application/merge-patch+json' }, '{"a":1}'],
  ['of another type', { 'content-type': 'text/plain' }, 'text'],
  ['malformed', { 'content-type': 'application/json' }, '{"a":'],
  ['that is a string', { 'content-type': 'application/json' }, '"text"'],
  ['that is null', { 'content-type': 'application/json' }, 'null'],
  ['that is blank', { 'content-type': 'application/json' }, '   '],
  ['that is too large', { 'content-type': 'application/json' }, `{"a":"${'x'.repeat(60)}"}`],
  ['compressed', { 'content-type': 'application/json', 'content-encoding': 'gzip' }, gzipSync('{"a":1}')],
])('a JSON body %s gets the response of express.json', async (_name, headers, body) => {
  const plain = express()
  plain.use(express.json({ limit: 40, type: ['application/json', 'application/*+json'] }))
  plain.post('/', (req, res) => {
    if (req.body === undefined) throw new CodedError('unsupported_media_type')
    res.json({ body: req.body })
  })
  plain.use(problemHandler())
  const expected = await post(body, headers, plain)
  const actual = await post(body, headers)
  expect([actual.status, actual.text]).toEqual([expected.status, expected.text])
})
