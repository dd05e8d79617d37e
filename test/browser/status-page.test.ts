import { afterEach, expect, jest, test } from '@jest/globals'
import type { Page } from 'playwright-core'
import { killApps, type RunningApp, startApp } from '../support/app.ts'
import { expectReadable, useBrowser, VIEWPORTS } from '../support/browser.ts'
import { useStores } from '../support/stores.ts'

jest.setTimeout(120_000)

const browser = useBrowser()
const stores = useStores()
afterEach(killApps)

const FAST = { HEALTH_INTERVAL_MS: '200', HEALTH_TIMEOUT_MS: '200' }

const start = (env: Readonly<Record<string, string>> = {}): Promise<RunningApp> =>
  startApp({
    env: { ...FAST, DATABASE_URL: stores.database.url, REDIS_URL: stores.redis.url, REDIS_CRITICAL: 'false', ...env },
  })

const findRow = (page: Page, check: string) => page.getByRole('row', { name: check })

test('the page shows that a store is killed, without a reload', async () => {
  const app = await start()
  await Promise.all([
    app.line({ message: 'check ok', 'service.target.name': 'database' }),
    app.line({ message: 'check ok', 'service.target.name': 'redis' }),
  ])
  const { page, complaints, requests } = await browser.open()
  await page.goto(`${app.url}/health`)
  await findRow(page, 'redis').getByText('✓ ok').waitFor()
  expect(await page.getByRole('columnheader').allTextContents()).toEqual(['Check', 'State', 'Checked', 'Last runs'])
  await stores.redis.kill()
  await findRow(page, 'redis not critical').getByText('✗ fail').waitFor()
  await findRow(page, 'redis').getByText('refused').waitFor()
  await page.getByText('Failing: redis (not critical).').waitFor()
  // The history has successes and failures.
  expect(await findRow(page, 'redis').innerText()).toMatch(/[1-9]\d* of \d+ ok/)
  expect(await findRow(page, 'redis').locator('path.fail').getAttribute('d')).toMatch(/^M/)
  expect(await findRow(page, 'database').getByText('✓ ok').count()).toBe(1)
  await stores.redis.restart()
  await findRow(page, 'redis').getByText('✓ ok').waitFor()
  expect(complaints).toEqual([])
  expect(new Set(requests)).toEqual(new Set([`${app.url}/health`]))
})

test('a critical store that is down gives the page with status 503', async () => {
  const app = await start({ DATABASE_URL: 'postgres://app:hunter2@127.0.0.1:1/app' })
  await app.line({ message: 'check failed', 'service.target.name': 'database' })
  const { page } = await browser.open()
  const response = await page.goto(`${app.url}/health`)
  expect(response?.status()).toBe(503)
  expect(await page.title()).toBe('fail: my-service')
  expect(await page.content()).not.toMatch(/hunter2|127\.0\.0\.1|ECONNREFUSED/)
})

test('the page is readable in light and dark mode, on a screen and on a phone', async () => {
  const app = await start({ HEALTH_CHECKS: 'a-service-with-a-very-long-name=tcp://127.0.0.1:1' })
  await app.line({ message: 'check failed' })
  const backgrounds = new Set<string>()
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of VIEWPORTS) {
      const { page } = await browser.open({ colorScheme, viewport })
      await page.goto(`${app.url}/health`)
      await expectReadable(page, 'h1, small, b, p, th, td, time, footer, path')
      backgrounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
  }
  expect(backgrounds.size).toBe(2)
})
