import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { findLines, killApps } from '../support/app.ts'
import { startMeasured } from '../support/metrics.ts'
import { readValues } from '../support/read-values.ts'
import { until } from '../support/services.ts'
import { temporaryDirectory } from '../support/temporary.ts'

/* These tests check the settings of the artifact. `make resilience` tests the service under overload. */
afterEach(killApps)

const SETTINGS_FILE = join(temporaryDirectory('overload'), 'settings.json')

function write(content: object): void {
  writeFileSync(`${SETTINGS_FILE}.new`, JSON.stringify(content))
  renameSync(`${SETTINGS_FILE}.new`, SETTINGS_FILE)
}

test('an operator can switch background operations off and on while the service runs', async () => {
  write({})
  const { app, scrape } = await startMeasured({ SETTINGS_FILE, OVERLOAD_WAIT_MS: '2000' })
  const ask = async (path: string) => (await fetch(app.url + path)).status
  const showsBrownout = async () => {
    const page = await fetch(`${app.url}/health`, { headers: { accept: 'text/html' } })
    return (await page.text()).includes('Brownout')
  }
  expect(await Promise.all(['/openapi.json', '/nothing'].map(ask))).toEqual([200, 404])
  expect(await showsBrownout()).toBe(false)

  write({ BROWNOUT: 'on' })
  await app.line({ message: 'background operations off' })
  expect(await Promise.all(['/openapi.json', '/nothing', '/ping', '/health/ready'].map(ask))).toEqual([
    503, 503, 200, 200,
  ])
  const refused = await fetch(`${app.url}/openapi.json`, { headers: { 'x-request-id': 'mine' } })
  expect(await refused.json()).toMatchObject({ code: 'overloaded', requestId: 'mine' })
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(5)
  // The refusal comes before the access check and before the body is parsed.
  const unread = {
    method: 'POST',
    headers: { authorization: 'Bearer x', 'content-type': 'application/json' },
    body: '{',
  }
  expect((await fetch(`${app.url}/nothing`, unread)).status).toBe(503)
  expect(await showsBrownout()).toBe(true)
  const text = await scrape()
  expect(readValues(text, 'overload_brownout')).toEqual({ '': 1 })
  expect(readValues(text, 'overload_refused_requests_total')['priority="background",reason="brownout"']).toBe(4)
  const requests = readValues(text, 'http_server_request_duration_seconds_count')
  expect(requests['http_request_method="GET",http_route="",http_response_status_code="503"']).toBe(3)
  expect(requests['http_request_method="POST",http_route="",http_response_status_code="503"']).toBe(1)

  write({ BROWNOUT: 'auto' })
  await until(async () => (await ask('/openapi.json')) === 200)
  await app.line({ message: 'background operations on' })
  expect(findLines(app, 'background operations off')).toHaveLength(1)
  expect(findLines(app, 'background operations on')).toHaveLength(1)
})

test('without OVERLOAD_WAIT_MS the service has no admission, and rejects the setting of an operator', async () => {
  write({})
  const { app, scrape } = await startMeasured({ SETTINGS_FILE })
  expect(await scrape()).not.toContain('overload_')
  write({ BROWNOUT: 'on' })
  expect(await app.line({ message: 'settings not reloaded' })).toMatchObject({
    'error.message': expect.stringContaining('BROWNOUT'),
  })
})
