import { expect, test } from '@jest/globals'
import type { CheckReport, History, Snapshot } from '#pkg/health/index.ts'
import { renderStatusPage } from './status-page.ts'

const ok: CheckReport = { status: 'ok', critical: true, latencyMs: 0.8, checkedAt: 1_795_353_959 }
const failed: CheckReport = { status: 'fail', critical: false, reason: 'timeout', checkedAt: 1_795_353_962 }
const pending: CheckReport = { status: 'fail', critical: true, reason: 'pending' }

function renderPage(checks: Snapshot['checks'], history: Snapshot['history'] = {}, service = 'payments'): string {
  return renderStatusPage(service, '1.4.0', { status: 'ok', timestamp: 1_795_353_962, checks, history })
}

/** Returns the text of the page without the markup. */
const extractText = (page: string) =>
  page
    .slice(page.indexOf('<body>'))
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()

test('shows the data of the JSON response for each check', () => {
  expect(extractText(renderPage({ database: ok, redis: failed, mail: pending }))).toBe(
    'payments version 1.4.0 ✓ ok Failing: redis (not critical), mail. Check State Checked Last runs ' +
      'database critical ✓ ok 0.8 ms 3 s ago none ' +
      'redis not critical ✗ fail timeout just now none ' +
      'mail critical ✗ fail pending never none ' +
      'As of 2026-11-22 13:26:02 UTC . Refreshes every 5 seconds.',
  )
})

test('summarizes a service without checks and a service without failures', () => {
  expect(extractText(renderPage({}))).toContain('No checks are configured.')
  expect(renderPage({})).not.toContain('<table>')
  expect(extractText(renderPage({ database: ok }))).toContain('Every check is ok.')
})

test('shows whether background operations are on, if the service knows', () => {
  const render = (isBrownout?: boolean) =>
    extractText(renderStatusPage('a', '1', { status: 'ok', timestamp: 1, checks: {}, history: {} }, isBrownout))
  expect(render(true)).toContain('Brownout: background operations are off.')
  expect(render(false)).toContain('every operation is on.')
  expect(render()).not.toMatch(/Brownout|operation/)
})

test('a name with markup is escaped', () => {
  const hostile = '<script>alert(1)</script>'
  const page = renderPage({ [hostile]: ok, '"onload="': failed }, {}, hostile)
  expect(page).not.toContain('<script')
  expect(page).not.toContain('"onload="')
})

test('the chart has a bar for each run: the slowest is the highest, a failure is below the line, and the last is at the right', () => {
  const history: History = [
    { ok: true, at: 1, latencyMs: 10 },
    { ok: false, at: 2, reason: 'timeout' },
    { ok: true, at: 3, latencyMs: 5.04 },
  ]
  const page = renderPage({ database: ok }, { database: history })
  expect(page).toContain('<path class="ok" d="M228 24v-24h3v24zM236 24v-12h3v12z"/>')
  expect(page).toContain('<path class="fail" d="M232 24v8h3v-8z"/>')
  expect(extractText(page)).toContain('2 of 3 ok, 5 ms to 10 ms')
})

test('the chart is valid when every run took 0 ms or failed', () => {
  const instant = renderPage({ database: ok }, { database: [{ ok: true, at: 1, latencyMs: 0 }] })
  expect(instant).toContain('d="M236 24v-2h3v2z"')
  const unreachable = renderPage({ database: failed }, { database: [{ ok: false, at: 1, reason: 'refused' }] })
  expect(extractText(unreachable)).toContain('0 of 1 ok As of')
  expect(instant + unreachable).not.toMatch(/NaN|Infinity/)
})
