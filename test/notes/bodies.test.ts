import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, startApp } from '../support/app.ts'
import { freePort } from '../support/services.ts'

/*
 * These tests prove the effect of the variables about request bodies. They need an operation with a body, which the
 * service rejects before it uses its database.
 */
afterEach(killApps)

async function startNotes(env: Readonly<Record<string, string>> = {}) {
  const DATABASE_URL = `postgres://127.0.0.1:${await freePort()}`
  return startApp({ env: { DATABASE_URL, DATABASE_CRITICAL: 'false', ...env } })
}

test('BODY_LIMIT', async () => {
  const { url } = await startNotes({ BODY_LIMIT: '10b' })
  const post = (body: string) =>
    fetch(`${url}/v1/notes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect((await post('{"a":1234}')).status).toBe(422)
  expect((await post('{"a":12345}')).status).toBe(413)
})

test('REQUEST_TIMEOUT_MS', async () => {
  const { port } = await startNotes({ HEADERS_TIMEOUT_MS: '200', REQUEST_TIMEOUT_MS: '200' })
  const socket = connect(port, '127.0.0.1')
  socket.write('POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{')
  expect((await text(socket)).slice(0, 12)).toBe('HTTP/1.1 408')
})

test.each([
  ['application/json; charset=utf-7', 'identity', 415],
  ['application/json; charset=utf-7-imap', 'identity', 415],
  ['application/json', 'br', 400],
])('a body of type %s in the encoding %s receives a problem document', async (type, encoding, status) => {
  const { url } = await startNotes()
  const headers = { 'content-type': type, 'content-encoding': encoding }
  const response = await fetch(`${url}/v1/notes`, { method: 'POST', headers, body: '{"a":12}' })
  expect([response.status, response.headers.get('content-type')]).toEqual([
    status,
    'application/problem+json; charset=utf-8',
  ])
})
