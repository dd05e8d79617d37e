import { EventEmitter, once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { problemHandler } from '../problem/index.ts'
import { createBodyReader } from './body.ts'

const errors = new EventEmitter()
const app = express()
app.use(createBodyReader({ maxBytes: 40 })({ type: 'json' }))
app.post('/', (req, res) => void res.json({ body: req.body ?? null }))
app.use((error: { type?: unknown }, _req: express.Request, _res: express.Response, next: express.NextFunction) => {
  errors.emit('error type', error.type)
  next(error)
})
app.use(problemHandler())
const server: Server = app.listen(0)
afterAll(() => {
  server.close()
})

const post = (body: string | Buffer, headers: Readonly<Record<string, string>> = {}) =>
  request(server)
    .post('/')
    .set({ 'content-type': 'application/json', ...headers })
    .serialize((body) => body)
    .send(body)

/** Each has its own way through the parser: as nearly all clients send it, and all the others. */
const ways = [
  ['plain', {}, (text: string) => Buffer.from(text)],
  ['with a charset', { 'content-type': 'application/json; charset=utf-8' }, (text: string) => Buffer.from(text)],
  ['compressed', { 'content-encoding': 'gzip' }, (text: string) => gzipSync(text)],
  ['of a JSON type', { 'content-type': 'application/merge-patch+json' }, (text: string) => Buffer.from(text)],
] as const

test.each(ways)('a body that is sent %s is read', async (_name, headers, encode) => {
  for (const text of ['{"a":"ä€😀"}', '[1,2]', ' {"a":1}\n', '\ufeff{"a":1}', `{"a":"${'x'.repeat(32)}"}`]) {
    const { body } = await post(encode(text), headers).expect(200)
    expect(body).toEqual({ body: JSON.parse(text.replace('\ufeff', '')) })
  }
})

test.each(ways)('an invalid body that is sent %s is rejected', async (_name, headers, encode) => {
  for (const text of ['{', '"text"', 'null', '1', '   ', '{"a":1}}', '{a:1}']) {
    expect((await post(encode(text), headers).expect(400)).body).toMatchObject({ code: 'malformed_json' })
  }
  await post(encode(`{"a":"${'x'.repeat(33)}"}`), headers).expect(413)
})

test('a request without a body has no req.body', async () => {
  expect((await request(server).post('/').expect(200)).body).toEqual({ body: null })
})

/** A request whose body of 11 bytes has begun, when the server has seen its head. */
async function begin(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const arrived = once(server, 'request')
  socket.write('POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n')
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

test('a body that ends early is rejected', async () => {
  const socket = await begin()
  const refused = once(errors, 'error type')
  socket.destroy()
  expect(await refused).toEqual(['request.aborted'])
})
