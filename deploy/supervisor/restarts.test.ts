import { beforeAll, expect, test } from '@jest/globals'
import { startLoad } from '../../test/support/load.ts'
import { needTools } from '../../test/support/tools.ts'
import { startSupervisor } from './start-supervisor.ts'

beforeAll(() => needTools(['supervisord', 'supervisorctl'], 'supervisor'), 300_000)

const ROUNDS = 3
test('sequential restarts on a shared socket lose no request and refuse no connection', async () => {
  await using supervisor = await startSupervisor({ env: { DRAIN_DELAY_MS: '200', LOG_LEVEL: 'silent' } })
  await supervisor.waitUntilAllRun()
  const end = new AbortController()
  const common = { port: supervisor.port, signal: end.signal }
  const loads = [
    startLoad({ ...common, clients: 4 }),
    startLoad({ ...common, clients: 4, method: 'POST' }),
    startLoad({ ...common, clients: 4, method: 'POST', keepAlive: false }),
  ]
  try {
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of supervisor.names) await supervisor.ctl('restart', `app:${name}`)
    }
  } finally {
    end.abort()
  }
  const reports = await Promise.all(loads)
  const failures = reports.flatMap((report) => report.failures)
  const sent = reports.map((report) => report.sent).join(' + ')
  console.info(`${ROUNDS * supervisor.names.length} restarts: ${sent} requests, ${failures.length} failed`)
  expect(failures).toEqual([])
  for (const name of supervisor.names) {
    expect(supervisor.log().split(`stopped: ${name} (exit status 0)`)).toHaveLength(ROUNDS + 1)
  }
  for (const report of reports) expect(report.sent).toBeGreaterThan(100)
}, 60_000)
