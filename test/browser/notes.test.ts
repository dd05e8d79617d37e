import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, runApp, startApp } from '../support/app.ts'
import { useBrowser } from '../support/browser.ts'
import { type TestService, testPostgres } from '../support/services.ts'

jest.setTimeout(60_000)

const browser = useBrowser()
let database: TestService
afterEach(async () => {
  await killApps()
  await database.stop()
})

test('the page at /docs can create a note', async () => {
  database = await testPostgres()
  const env = { DATABASE_URL: database.url }
  await runApp(['migrate'], { env })
  const app = await startApp({ env })
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
