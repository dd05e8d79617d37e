import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type RunningApp, runApp, startApp } from '../support/app.ts'
import { bothOk } from '../support/described.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { databaseEnv } from '../support/pgbouncer.ts'
import { type TestService, testPostgres, testRedis } from '../support/services.ts'

/* Notes behind authentication. */

let database: TestService
let redis: TestService
let issuer: Issuer
let app: RunningApp
let way: Awaited<ReturnType<typeof databaseEnv>>
beforeAll(async () => {
  ;[database, redis, issuer] = await Promise.all([testPostgres(), testRedis(), startIssuer()])
  way = await databaseEnv(database)
  const env = { ...way.env, REDIS_URL: redis.url }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  app = await startApp({ env: { ...env, ...issuer.env, SESSION_SECRET: 'x'.repeat(32), TRUST_PROXY: '1' } })
  await bothOk(app)
})
afterAll(async () => {
  app.signal('SIGINT')
  await app.ended
  issuer.close()
  await way.stop()
  await Promise.all([database.stop(), redis.stop()])
})

const authorize = async (subject: string) => ({ authorization: `Bearer ${await issuer.token({ sub: subject })}` })

async function create(subject: string, headers: Readonly<Record<string, string>> = {}) {
  const { status, headers: sent } = await fetch(`${app.url}/v1/notes`, {
    method: 'POST',
    headers: { ...(await authorize(subject)), 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ title: `A note of ${subject}` }),
  })
  return { status, location: sent.get('location') }
}

test('an idempotency-key belongs to its sender: another sender with the same key gets another response', async () => {
  const key = { 'idempotency-key': 'same' }
  const [mine, again, other] = [await create('user-1', key), await create('user-1', key), await create('user-2', key)]
  expect([mine.status, other.status]).toEqual([201, 201])
  expect(again).toEqual(mine)
  expect(other.location).not.toBe(mine.location)
  expect((await fetch(`${app.url}/v1/notes`)).status).toBe(401)
})

test('a client may revalidate a note, and a shared cache must not store it', async () => {
  const { location } = await create('user-3')
  const headers = await authorize('user-3')
  const session = await fetch(`${app.url}/v1/session`, {
    method: 'POST',
    headers: { ...headers, 'x-forwarded-proto': 'https' },
  })
  const cookie = session.headers.getSetCookie()[0]?.split(';', 1)[0] ?? ''
  for (const credentials of [headers, { cookie, 'x-forwarded-proto': 'https' }]) {
    const response = await fetch(`${app.url}${location}`, { headers: credentials })
    expect([response.status, response.headers.get('cache-control'), response.headers.get('vary')]).toEqual([
      200,
      'private, no-cache',
      'cookie',
    ])
    const unchanged = await fetch(`${app.url}${location}`, {
      // Without this option, fetch() sends no-cache, which requests a full response.
      headers: { ...credentials, 'if-none-match': '"1"', 'cache-control': 'max-age=0' },
    })
    expect([unchanged.status, unchanged.headers.get('cache-control')]).toEqual([304, 'private, no-cache'])
    const list = await fetch(`${app.url}/v1/notes`, { headers: credentials })
    expect([list.status, list.headers.get('cache-control')]).toEqual([200, 'no-store'])
  }
})
