import { createServer } from 'node:http'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createServiceBoard } from '#internal/telemetry/board/board.ts'
import { killApps, startApp } from '../support/app.ts'
import { expectReadable, useBrowser, VIEWPORTS } from '../support/browser.ts'
import { listen } from '../support/listen.ts'
import { freePort } from '../support/services.ts'

jest.setTimeout(60_000)

const browser = useBrowser()
const closes: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closes.splice(0)) close()
  await killApps()
})

async function start(env: Readonly<Record<string, string>> = {}) {
  const port = await freePort()
  const app = await startApp({ env: { ADMIN_PORT: String(port), FEATURES: 'board', ...env } })
  const origin = `http://127.0.0.1:${port}`
  const ping = (id: string, headers = {}) => fetch(`${app.url}/ping`, { headers: { 'x-request-id': id, ...headers } })
  return { app, origin, ping }
}

/** Starts a server whose board has the given spans and lines. */
async function startBoard() {
  const check = { status: 'fail', critical: true, reason: 'timeout', checkedAt: 1 } as const
  const snapshot = () => ({ status: 'fail' as const, timestamp: 1, checks: { database: check }, history: {} })
  const board = createServiceBoard({
    ...{ service: 'named', version: '1.4.0', health: { snapshot } },
    lifecycle: { phase: () => 'serving' },
    metrics: { connections: () => [['database', 'used', 2]] },
  })
  const server = createServer((request, response) => board.respond(request, response) || response.destroy())
  const { url: origin, stop } = await listen(server)
  closes.push(board.stop, stop)
  const ids = (count: number) => ({ traceId: `trace-${count}`, spanId: `span-${count}` })
  let count = 0
  /** Ends a request with a span below it and a log line. */
  function request(requestId: string, name: string, text: string, isFailed = false): void {
    const { traceId, spanId } = ids(count++)
    const common = { traceId, requestId, startedAt: Date.now() - 312, ...(isFailed && { error: text }) }
    const attributes = { 'db.system.name': 'postgresql', [text]: text }
    board.sink.onEnd({
      ...common,
      spanId: `${spanId}-1`,
      parentId: spanId,
      name: text,
      kind: 'client',
      durationMs: 300,
      attributes,
    })
    board.onLine(
      `${JSON.stringify({ 'log.level': text, message: text, 'http.request.id': requestId, [text]: text })}\n`,
    )
    const server = { 'url.path': text, 'http.response.status_code': isFailed ? 500 : 200 }
    board.sink.onEnd({ ...common, spanId, name, kind: 'server', durationMs: 312, attributes: server })
  }
  return { board, origin, request }
}

test.each(['executable', 'bundle'] as const)(
  'the board of the %s shows a request that ends while it is open, with its spans and log lines',
  async (artifact) => {
    const port = await freePort()
    const env = { ADMIN_PORT: String(port), FEATURES: 'board' }
    const app = await startApp({ artifact, env })
    const { page, complaints, requests } = await browser.open()
    await page.goto(`http://127.0.0.1:${port}/`)
    await page.getByText('No findings in the last minute.').waitFor()
    await page.getByText('✓ serving').waitFor()
    for (const panel of ['Event loop', 'Memory']) await page.getByRole('heading', { name: panel }).waitFor()
    await page.getByRole('button', { name: 'Latest' }).click()
    await fetch(`${app.url}/ping`, { headers: { 'x-request-id': 'first' } })
    await page.getByRole('row', { name: 'GET /ping' }).waitFor()
    const request = page.locator('#requests .request', { hasText: 'GET /ping' })
    await request.locator('summary').first().click()
    await request.getByRole('link', { name: 'first' }).waitFor()
    await request.locator('.row', { hasText: 'GET /ping' }).waitFor()
    await request.locator('.line', { hasText: 'request' }).click()
    await request.getByText('"http.request.id": "first"').waitFor()
    // An open request stays open when another one ends.
    await fetch(`${app.url}/nothing`)
    await page.locator('#requests .request', { hasText: 'GET (no route)' }).waitFor()
    expect(await request.getAttribute('open')).toBe('')
    expect(complaints).toEqual([])
    const paths = new Set(requests.map((url) => new URL(url).pathname))
    expect([...paths].filter((path) => !path.startsWith(',')).sort()).toEqual([
      '/',
      '/board.css',
      '/board.js',
      '/board.json',
    ])
    expect(requests.filter((url) => !url.startsWith(`http://127.0.0.1:${port}/`) && url !== 'data:,')).toEqual([])
  },
)

test('a request is found by its request id, by its trace id, and by a link that precedes it', async () => {
  const { origin, ping } = await start()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const { page } = await browser.open()
  await page.goto(`${origin}/?q=searched`)
  await page.getByText('Not in memory.').waitFor()
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  await ping('searched', { traceparent })
  await page.locator('#found .request').getByRole('link', { name: traceId }).waitFor()
  const search = page.getByRole('searchbox')
  await ping('other', { traceparent })
  await search.fill(` ${traceId} `)
  await search.press('Enter')
  for (const id of ['searched', 'other']) await page.locator('#found').getByRole('link', { name: id }).waitFor()
  await ping('one-more')
  await search.fill('one-more')
  await search.press('Enter')
  await page.locator('#found').getByRole('link', { name: 'one-more' }).waitFor()
  expect(await page.locator('#found .request').count()).toBe(1)
})

test('the page shows a drain and the end of the instance, and does not delay the stop', async () => {
  const { app, origin } = await start({ DRAIN_DELAY_MS: '5000' })
  const { page } = await browser.open()
  await page.goto(origin)
  await page.getByText('✓ serving').waitFor()
  app.signal('SIGTERM')
  await page.getByText('The service is draining.').waitFor()
  expect(await app.ended).toEqual({ code: 0, signal: null })
  await page.getByText(/^No response from this instance since .*\. Trying again\.$/).waitFor()
})

test('after an error response, the page keeps the last state and its time, and tries again', async () => {
  const { origin } = await startBoard()
  const { page } = await browser.open()
  await page.goto(origin)
  await page.getByText('✓ serving').waitFor()
  await page.route('**/board.json', (route) => route.fulfill({ status: 503, json: { status: 503 } }))
  await page.getByText(/^No response from this instance since \d.*\. Trying again\.$/).waitFor()
  await page.unroute('**/board.json')
  await page.getByText('No response from this instance').waitFor({ state: 'hidden' })
})

test('hostile texts of spans, lines and ids are shown as text', async () => {
  const hostile = '</script><img src=x onerror="hacked=1">\'"&{{1}}\u202e'
  const { origin, request } = await startBoard()
  request('hostile', hostile, hostile, true)
  request(hostile, 'GET /', hostile)
  const { page, complaints } = await browser.open()
  await page.goto(`${origin}/?q=hostile`)
  const found = page.locator('#found .body')
  await found.getByText(hostile).first().waitFor()
  for (const row of await found.locator('.row').all()) await row.click()
  expect(await found.getByText(hostile).count()).toBeGreaterThan(4)
  await page.getByRole('row', { name: hostile }).waitFor()
  await page.goto(`${origin}/?q=${encodeURIComponent(hostile)}`)
  await page.locator('#found .body').getByRole('link', { name: hostile }).waitFor()
  expect(await page.evaluate('[document.images.length, document.scripts.length, typeof hacked]')).toEqual([
    0,
    1,
    'undefined',
  ])
  const inject = `document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=hacked=1>')`
  await expect(page.evaluate(inject)).rejects.toThrow('TrustedHTML')
  expect(complaints.filter((text) => !text.includes('TrustedHTML'))).toEqual([])
})

test('the page is readable in light and dark mode, on a screen and on a phone', async () => {
  const { origin, request } = await startBoard()
  for (let each = 0; each < 5; each++)
    request(`slow-${each}`, 'GET /v1/a-path-of-a-route-that-is-very-long/{id}', 'SELECT items')
  request('failed', 'POST /v1/items', 'INSERT items', true)
  const backgrounds = new Set<string>()
  for (const colorScheme of ['light', 'dark'] as const) {
    for (const viewport of VIEWPORTS) {
      const { page } = await browser.open({ colorScheme, viewport })
      await page.goto(`${origin}/?q=failed`)
      await page.locator('#found .body').waitFor()
      for (const row of await page.locator('#found .row').all()) await row.click()
      await expectReadable(page, 'h1, h2, h3, a, b, small, p, li, th, td, pre, footer, button, summary > span')
      backgrounds.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'))
    }
  }
  expect(backgrounds.size).toBe(2)
})
