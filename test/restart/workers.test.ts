import { afterEach, expect, jest, test } from '@jest/globals'
import { killApps, linesOf, startApp } from '../support/app.ts'
import { rollOut } from '../support/roll-out.ts'

jest.setTimeout(120_000)
afterEach(killApps)

test('20 roll-outs of WORKERS=2 by SIGHUP lose no request', async () => {
  const app = await startApp({ env: { WORKERS: '2', DRAIN_DELAY_MS: '100' } })
  const { sent, failures } = await rollOut(app, 20)
  console.info(`WORKERS=2, 20 roll-outs: ${sent} requests sent, ${failures.length} failed`)
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(1_000)
  expect(linesOf(app, 'worker retired')).toHaveLength(40)
})
