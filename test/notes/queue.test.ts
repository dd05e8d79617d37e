import { afterEach, expect, test } from '@jest/globals'
import pg from 'pg'
import { killApps, runApp } from '../support/app.ts'
import { startMeasured } from '../support/metrics.ts'
import { readValues } from '../support/read-values.ts'
import { testPostgres, until } from '../support/services.ts'

afterEach(killApps)

test('DATABASE_QUEUE_TIMEOUT_MS refuses a request that waits for a full pool, and counts it', async () => {
  const database = await testPostgres()
  const env = { DATABASE_URL: database.url, DATABASE_POOL_MAX: '1', DATABASE_QUEUE_TIMEOUT_MS: '100' }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const { app, scrape } = await startMeasured(env)
  const admin = new pg.Client(database.url)
  await admin.connect()
  await admin.query('begin; lock table notes')
  const write = (key: string) =>
    fetch(`${app.url}/v1/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': key },
      body: '{"title":"Milk"}',
    })
  const first = write('first')
  const used = 'db_client_connection_pool_name="database",db_client_connection_state="used"'
  await until(async () => readValues(await scrape(), 'db_client_connections')[used] === 1)
  const second = await write('second')
  expect([second.status, await second.json()]).toEqual([503, expect.objectContaining({ code: 'overloaded' })])
  expect(second.headers.get('retry-after')).toBe('1')
  const timeouts = readValues(await scrape(), 'db_client_connection_timeouts_total')
  expect(timeouts).toEqual({ 'db_client_connection_pool_name="database"': 1 })
  await admin.query('rollback')
  expect((await first).status).toBe(201)
  await admin.end()
  await database.stop()
})
