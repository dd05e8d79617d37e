import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, startApp } from '../support/app.ts'
import { useBrowser } from '../support/browser.ts'

jest.setTimeout(60_000)

const browser = useBrowser()
afterEach(killApps)

test.each(['executable', 'bundle'] as const)(
  'the page of the %s lists the operations and sends a request',
  async (artifact) => {
    const app = await startApp({ artifact })
    const { page, complaints, requests } = await browser.open()
    await page.goto(`${app.url}/docs`)
    const operation = page.locator('.opblock').filter({ has: page.locator('[data-path="/ping"]') })
    await operation.waitFor()
    const { paths } = (await (await fetch(`${app.url}/openapi.json`)).json()) as { paths: object }
    const shown = await page.locator('[data-path]').evaluateAll((all) => all.map(({ dataset }) => dataset['path']))
    expect([...new Set(shown)].sort()).toEqual(Object.keys(paths).sort())
    await operation.click()
    await operation.getByRole('button', { name: 'Try it out' }).click()
    await operation.getByRole('button', { name: 'Execute' }).click()
    const response = operation.locator('.live-responses-table')
    await response.getByText('"pong"').waitFor()
    expect(await response.locator('tbody .response-col_status').first().innerText()).toBe('200')
    expect(requests).toContain(`${app.url}/ping`)
    expect(complaints).toEqual([])
  },
)

test('the page sends requests to its own origin only', async () => {
  const app = await startApp()
  const { page, requests } = await browser.open()
  const origin = `http://service.test:${app.port}`
  await page.goto(`${origin}/docs`, { waitUntil: 'networkidle' })
  await page.locator('[data-path="/ping"]').waitFor()
  expect(requests.length).toBeGreaterThan(4)
  const elsewhere = requests.filter((url) => !url.startsWith(`${origin}/`) && !url.startsWith('data:'))
  expect(elsewhere).toEqual([])
})

test.each(['light', 'dark'] as const)(
  'on a phone in %s mode, an open operation fits and its texts are readable',
  async (colorScheme) => {
    const app = await startApp()
    const { page } = await browser.open({ viewport: { width: 390, height: 844 }, colorScheme })
    await page.goto(`${app.url}/docs`)
    const operation = page.locator('.opblock').filter({ has: page.locator('[data-path="/ping"]') })
    await operation.locator('.opblock-summary').click()
    await operation.locator('td.header-col', { hasText: 'X-Request-Id' }).first().waitFor()
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390)
    const color = await page.evaluate<string>(`getComputedStyle(document.querySelector('td.header-col')).color`)
    expect(await page.evaluate('document.documentElement.className')).toBe(colorScheme === 'dark' ? 'dark-mode' : '')
    // The red of a dark colour has a low value.
    expect(Number(/\d+/.exec(color)?.[0]) > 127).toBe(colorScheme === 'dark')
  },
)
