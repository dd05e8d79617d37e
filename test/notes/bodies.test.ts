import { once } from 'node:events'
import { request } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, type RunningApp, startApp } from '../support/app.ts'
import { freePort, until } from '../support/services.ts'

/* Request bodies at the artifact. The example is the only operation with a body; it needs no database to reject one. */
afterEach(killApps)

/** Returns true when the service accepts no more connections. */
async function refuses({ port }: Pick<RunningApp, 'port'>): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return false
  } catch {
    return true
  } finally {
    socket.destroy()
  }
}

const startWithoutDatabase = async (env: Readonly<Record<string, string>> = {}) => {
  const DATABASE_URL = `postgres://127.0.0.1:${await freePort()}/none`
  return startApp({ env: { DATABASE_URL, DATABASE_CRITICAL: 'false', ...env } })
}

test('BODY_LIMIT rejects a longer body with 413', async () => {
  const app = await startWithoutDatabase({ BODY_LIMIT: '10b' })
  const post = (body: string) =>
    fetch(`${app.url}/v1/notes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect((await post('{"a":1234}')).status).toBe(422)
  expect((await post('{"a":12345}')).status).toBe(413)
})

test('REQUEST_TIMEOUT_MS ends an incomplete request with 408', async () => {
  const app = await startWithoutDatabase({ HEADERS_TIMEOUT_MS: '200', REQUEST_TIMEOUT_MS: '200' })
  const socket = connect(app.port, '127.0.0.1')
  socket.write('POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{')
  expect((await text(socket)).slice(0, 12)).toBe('HTTP/1.1 408')
})

test.each([
  ['; charset=utf-7\r\ncontent-length: 8', 415],
  ['; charset=utf-7-imap\r\ncontent-length: 8', 415],
  ['\r\ncontent-encoding: br\r\ncontent-length: 8', 400],
])('a body of application/json%j is rejected with %i', async (headers, status) => {
  const app = await startWithoutDatabase()
  const socket = connect(app.port, '127.0.0.1')
  socket.write(`POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-type: application/json${headers}\r\n\r\n{"a":12}`)
  const [response] = (await once(socket, 'data')).map(String)
  socket.destroy()
  expect(response).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(response).toMatch(/content-type: application\/problem\+json/i)
})

test('SIGTERM waits for the rest of a POST and for its response', async () => {
  const app = await startWithoutDatabase({ DRAIN_DELAY_MS: '50' })
  const headers = { 'content-type': 'application/json', 'content-length': 9 }
  const post = request({ host: '127.0.0.1', port: app.port, path: '/v1/notes', method: 'POST', headers })
  const responded = once(post, 'response')
  post.write('{"a":')
  await once(post, 'socket')
  await once(post.socket!, 'connect')
  app.signal('SIGTERM')
  await app.line({ message: 'draining' })
  await until(() => refuses(app))
  post.end('"b"}')
  const [response] = await responded
  expect(response.statusCode).toBe(422)
  expect(response.headers.connection).toBe('close')
  response.resume()
  expect(await app.ended).toEqual({ code: 0, signal: null })
})
