import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { killApps, runApp, startApp } from '../support/app.ts'
import { type Issuer, startIssuer } from '../support/issuer.ts'
import { type TestService, testPostgres, testRedis } from '../support/services.ts'

let redis: TestService
let issuer: Issuer
beforeAll(async () => {
  redis = await testRedis()
  issuer = await startIssuer()
})
afterEach(killApps)
afterAll(async () => {
  issuer.close()
  await redis.stop()
})

test("an idempotency-key is its sender's own: nobody is answered with what another has sent", async () => {
  const database = await testPostgres()
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const app = await startApp({ env: { ...env, ...issuer.env } })
  const create = async (subject: string) => {
    const answer = await fetch(`${app.url}/v1/notes`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${await issuer.token({ sub: subject })}`,
        'content-type': 'application/json',
        'idempotency-key': 'same',
      },
      body: JSON.stringify({ title: `A note of ${subject}` }),
    })
    return { status: answer.status, location: answer.headers.get('location') }
  }
  const [mine, again, other] = [await create('user-1'), await create('user-1'), await create('user-2')]
  expect([mine.status, other.status]).toEqual([201, 201])
  expect(again).toEqual(mine)
  expect(other.location).not.toBe(mine.location)
  expect((await fetch(`${app.url}/v1/notes`)).status).toBe(401)
  await killApps()
  await database.stop()
})
