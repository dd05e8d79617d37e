import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import pg from 'pg'
import { killApps, runApp, startApp } from '../support/app.ts'
import { useBrowser } from '../support/browser.ts'
import { freePort, type TestService, testPostgres, until } from '../support/services.ts'

jest.setTimeout(60_000)

const browser = useBrowser()
let database: TestService
beforeEach(async () => {
  database = await testPostgres()
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
})
afterEach(async () => {
  await killApps()
  await database.stop()
})

test('the page at /docs can create a note', async () => {
  const app = await startApp({ env: { DATABASE_URL: database.url } })
  const { page, complaints } = await browser.open()
  await page.goto(`${app.url}/docs#/notes/createNote`)
  const operation = page.locator('#operations-notes-createNote')
  await operation.getByRole('button', { name: 'Try it out' }).click()
  await operation.locator('textarea').fill('{"title":"From a browser"}')
  await operation.getByRole('button', { name: 'Execute' }).click()
  const response = operation.locator('.live-responses-table')
  await response.getByText('"From a browser"').first().waitFor()
  expect(await response.locator('tbody .response-col_status').first().innerText()).toBe('201')
  const { items } = (await (await fetch(`${app.url}/v1/notes`)).json()) as { items: unknown[] }
  expect(items).toEqual([expect.objectContaining({ title: 'From a browser' })])
  expect(complaints).toEqual([])
})

test('the board names the query that a lock delays as the cause of a slow request', async () => {
  const port = await freePort()
  const app = await startApp({ env: { DATABASE_URL: database.url, ADMIN_PORT: String(port), FEATURES: 'board' } })
  const client = new pg.Client({ connectionString: database.url })
  await client.connect()
  try {
    for (let each = 0; each < 20; each++) expect((await fetch(`${app.url}/v1/notes`)).status).toBe(200)
    const { page, complaints } = await browser.open()
    await page.goto(`http://127.0.0.1:${port}/`)
    // A busy machine may cause findings before the lock, so wait for the statistics only.
    await page.locator('#routes').getByText('GET /v1/notes').first().waitFor()
    await client.query('begin; lock table notes in access exclusive mode')
    const slow = fetch(`${app.url}/v1/notes`, { headers: { 'x-request-id': 'delayed' } })
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
    await until(async () => (await client.query(waiting)).rowCount === 1)
    await client.query('select pg_sleep(0.3); commit')
    expect((await slow).status).toBe(200)
    const cause = 'database SELECT notes \\d+ ms of \\d+ ms'
    const finding = page.getByRole('listitem').filter({ hasText: new RegExp(`^GET /v1/notes is slow: ${cause}`) })
    await finding.getByRole('link').click()
    const found = page.locator('#found .request')
    await found.getByText(new RegExp(`^${cause}$`)).waitFor()
    await found.getByRole('link', { name: 'delayed' }).waitFor()
    const [, query = 0, request = 0] = /(\d+) ms of (\d+) ms/.exec(await found.innerText()) ?? []
    expect(Number(query)).toBeGreaterThanOrEqual(300)
    expect(Number(query)).toBeGreaterThan(Number(request) / 2)
    expect(complaints).toEqual([])
  } finally {
    await client.end()
  }
})
