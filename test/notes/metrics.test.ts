import { afterEach, expect, test } from '@jest/globals'
import { killApps, runApp } from '../support/app.ts'
import { startMeasured } from '../support/metrics.ts'
import { readValues } from '../support/read-values.ts'
import { testPostgres } from '../support/services.ts'

afterEach(killApps)

test('the metrics have the statements, the connections and the routes of a resource', async () => {
  const database = await testPostgres()
  const env = { DATABASE_URL: database.url }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  const { app, scrape } = await startMeasured(env)
  const headers = { 'content-type': 'application/json' }
  const created = await fetch(`${app.url}/v1/notes`, { method: 'POST', headers, body: '{"title":"Milk"}' })
  const { id } = (await created.json()) as { id: string }
  expect((await fetch(`${app.url}/v1/notes/${id}`)).status).toBe(200)

  const text = await scrape()
  const operations = readValues(text, 'db_client_operation_duration_seconds_count')
  for (const operation of ['INSERT', 'SELECT']) {
    expect(operations).toHaveProperty([`db_system_name="postgresql",db_operation_name="${operation}",error_type=""`])
  }
  const connections = Object.entries(readValues(text, 'db_client_connections'))
  const open = connections.filter(([labels]) => labels.includes('pool_name="database"')).map(([, count]) => count)
  expect(open.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
  expect(readValues(text, 'http_server_request_duration_seconds_count')).toHaveProperty(
    ['http_request_method="GET",http_route="/v1/notes/:id",http_response_status_code="200"'],
    1,
  )
  await database.stop()
})
