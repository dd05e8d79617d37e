import { beforeAll, expect, test } from '@jest/globals'
import { underEachLoad } from '../../test/support/steady-load.ts'
import { needTools } from '../../test/support/tools.ts'
import { startSupervisor } from './start-supervisor.ts'

beforeAll(() => needTools(['supervisord', 'supervisorctl'], 'supervisor'), 300_000)

const ROUNDS = 3
test('sequential restarts on a shared socket lose no request and refuse no connection', async () => {
  await using supervisor = await startSupervisor({ env: { DRAIN_DELAY_MS: '200', LOG_LEVEL: 'silent' } })
  await supervisor.waitUntilAllRun()
  const { sent, failures } = await underEachLoad(supervisor, async () => {
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of supervisor.names) await supervisor.ctl('restart', `app:${name}`)
    }
  })
  console.info(`${ROUNDS * supervisor.names.length} restarts: ${sent.join(' + ')} requests, ${failures.length} failed`)
  expect(failures).toEqual([])
  for (const name of supervisor.names) {
    expect(supervisor.log().split(`stopped: ${name} (exit status 0)`)).toHaveLength(ROUNDS + 1)
  }
  for (const count of sent) expect(count).toBeGreaterThan(100)
}, 60_000)
