import { afterEach, expect, test } from '@jest/globals'
import { killApps, startApp } from './support/app.ts'
import { freePort } from './support/services.ts'

afterEach(killApps)

async function start(env: Readonly<Record<string, string>> = {}) {
  const port = await freePort()
  const app = await startApp({ env: { ADMIN_PORT: String(port), ...env } })
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  return { app, get }
}

test.each([
  ['production', 'docs', 404],
  ['production', 'board', 200],
  ['development', 'none', 200],
  ['test', 'docs', 200],
])('NODE_ENV=%s FEATURES=%s gives %i for the board, which is never on PORT', async (NODE_ENV, FEATURES, status) => {
  const { app, get } = await start({ NODE_ENV, FEATURES })
  for (const path of ['/', '/board.js', '/board.json']) expect((await get(path)).status).toBe(status)
  expect((await get('/metrics')).status).toBe(200)
  expect((await fetch(`${app.url}/board.json`)).status).toBe(404)
})

test('without an admin port there is no board', async () => {
  const { get } = await start({ ADMIN_PORT: '0', FEATURES: 'board' })
  await expect(get('/')).rejects.toThrow('fetch failed')
})

test('the board has the log lines of a request, and no query string', async () => {
  const { app, get } = await start({ FEATURES: 'board' })
  const headers = { 'x-request-id': 'one', authorization: 'Bearer hunter2', cookie: 'session=hunter2' }
  await fetch(`${app.url}/nothing?token=hunter2`, { headers })
  const response = await get('/board.json?q=one')
  const text = await response.text()
  expect(JSON.parse(text)).toMatchObject({
    found: [
      { requests: [{ name: 'GET', path: '/nothing', status: 404 }], lines: [expect.stringContaining('"request"')] },
    ],
  })
  expect(text).not.toContain('hunter2')
})
