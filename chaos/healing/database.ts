import { setTimeout } from 'node:timers/promises'
import { startApp } from '../../test/support/app.ts'
import { percentile } from '../../test/support/open-loop.ts'
import { freePort, testPostgres, until } from '../../test/support/services.ts'
import { migrate } from '../stage.ts'
import { startReports } from './responder.ts'
import type { Outcome, Row, RowOptions, Sample } from './row.ts'
import { judgeLag, recoveredAfter, seconds, startUsers } from './users.ts'

const fault = 'the database is dead for 20 s'
const deadMs = (quick: boolean) => (quick ? 4_000 : 20_000)
/** Time for which the row watches the users after the return of the database, in milliseconds. */
const WATCH_MS = 6_000

async function startService() {
  const database = await testPostgres()
  const env = { DATABASE_URL: database.url }
  await migrate(database.url)
  const adminPort = await freePort()
  const app = await startApp({ env: { ...env, ADMIN_PORT: String(adminPort) } })
  return {
    database,
    adminPort,
    users: startUsers({ port: app.port, path: '/v1/notes', ratePerSecond: 50, timeoutMs: 5_000 }),
    async stop() {
      app.signal('SIGTERM')
      await app.ended
      await database.stop()
    },
  }
}

async function measureReads({ quick, repeat }: RowOptions): Promise<Outcome> {
  const { database, users, stop } = await startService()
  const samples: Sample[] = []
  for (let index = 0; index < Math.min(repeat, 3); index++) {
    await setTimeout(2_000)
    const killedAt = Date.now()
    await database.kill()
    await setTimeout(deadMs(quick))
    const startedAt = Date.now()
    await database.restart()
    const returnedAt = Date.now()
    await setTimeout(WATCH_MS)
    const dead = users.during(killedAt, startedAt)
    const failed = dead.filter(({ status }) => status !== 200).map(({ sentAt, endedAt }) => endedAt - sentAt)
    samples.push({
      'failed reads, p99': percentile(failed, 99),
      'failed reads, slowest': percentile(failed, 100),
      recovered: recoveredAfter(returnedAt, users.during(startedAt)),
    })
  }
  const lagMs = await users.stop()
  await stop()
  // The limit of 100 ms needs users who are on time.
  return { samples, ...judgeLag(lagMs, 20) }
}

async function measureMessages({ directory }: RowOptions): Promise<Outcome> {
  const { database, adminPort, users, stop } = await startService()
  const reports = await startReports({
    directory,
    targets: [`127.0.0.1:${adminPort}`],
    alert: 'DatabaseDown',
    expr: 'max by (job) (health_check_status{check="database"}) == 0',
  })
  await setTimeout(10_000)
  const killedAt = Date.now()
  await database.kill()
  await setTimeout(deadMs(false))
  await database.restart()
  const returnedAt = Date.now()
  await until(() => reports.count('RESOLVED') > 0, 60_000)
  // A second message would arrive with a repetition of the alert, every 5 s.
  await setTimeout(15_000)
  const sample = {
    notified: seconds(killedAt, reports.firstAt('FIRING')),
    'messages of the fault': reports.count('FIRING') || Number.NaN,
    'told of the recovery': seconds(returnedAt, reports.firstAt('RESOLVED')),
    'messages of the recovery': reports.count('RESOLVED') || Number.NaN,
  }
  await users.stop()
  await reports.stop()
  await stop()
  return { samples: [sample] }
}

export const rows: readonly Row[] = [
  {
    name: 'database',
    fault,
    healer: 'in process',
    goals: [
      { name: 'failed reads, p99', unit: 'ms', limit: 100 },
      { name: 'failed reads, slowest', unit: 'ms' },
      { name: 'recovered', unit: 's', limit: 2 },
    ],
    isQuick: true,
    measure: measureReads,
  },
  {
    name: 'database-responder',
    fault,
    healer: 'responder',
    goals: [
      { name: 'notified', unit: 's' },
      { name: 'messages of the fault', unit: '', limit: 1 },
      { name: 'told of the recovery', unit: 's' },
      { name: 'messages of the recovery', unit: '', limit: 1 },
    ],
    needs: ['deploy/respond'],
    measure: measureMessages,
  },
]
