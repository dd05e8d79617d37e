import { expect } from '@jest/globals'
import pg from 'pg'
import { type AppOptions, runApp } from '../../support/app.ts'
import { testPostgres, until } from '../../support/services.ts'
import { createClient } from './clients.ts'
import { startDatabaseProxy } from './database-proxy.ts'
import { type Fault, listFaults } from './faults.ts'
import { createInstance, type Instance } from './instance.ts'
import { audit, createLedger, type Ledger, type Row } from './ledger.ts'

const CLIENTS = 16
const INSTANCES = 2
const SHARED_NOTES = 4
const POOL_MAX = 5
/** Interval of the health checks: reads work again within this time after a fault. */
export const CHECK_INTERVAL_MS = 2_000

const ENV = {
  DATABASE_POOL_MAX: String(POOL_MAX),
  DATABASE_CONNECT_TIMEOUT_MS: '1000',
  DATABASE_STATEMENT_TIMEOUT_MS: '500',
  DATABASE_IDLE_TIMEOUT_MS: '500',
  HEALTH_INTERVAL_MS: String(CHECK_INTERVAL_MS),
}

export interface CampaignOptions {
  /** The service. @default the artifact of this build */
  readonly program?: AppOptions['program']
  /** Names of faults, in the order in which they are made. @default all */
  readonly only?: readonly string[]
  /** Another fault begins until then. Each is made once at least. */
  readonly durationMs: number
}

export interface CampaignReport {
  readonly ledger: Ledger
  /** Differences between the database and the acknowledged requests. */
  readonly problems: readonly string[]
  readonly faults: Readonly<Record<string, number>>
  /** Longest time between the end of a fault and a read on every instance, in milliseconds. */
  readonly slowestRecoveryMs: number
  /** Most connections of one instance to the database after a fault, the connection of its check included. */
  readonly mostConnections: number
  readonly maxConnections: number
  /** Number of stored idempotency keys. */
  readonly keys: number
}

/** Runs clients against the service while one fault follows another, and compares the database with their ledger. */
export async function runCampaign({ program, only, durationMs }: CampaignOptions): Promise<CampaignReport> {
  const database = await testPostgres()
  const options = (url: string): AppOptions => ({ ...(program && { program }), env: { ...ENV, DATABASE_URL: url } })
  expect(await runApp(['migrate'], options(database.url))).toMatchObject({ code: 0 })

  async function connect(): Promise<pg.Client> {
    let client: pg.Client | undefined
    await until(async () => {
      client = new pg.Client(database.url)
      client.on('error', () => {})
      return client.connect().then(
        () => true,
        () => false,
      )
    })
    return client!
  }
  async function query<R extends pg.QueryResultRow>(sql: string): Promise<R[]> {
    const client = await connect()
    const { rows } = await client.query<R>(sql)
    await client.end()
    return rows
  }
  // With the constraint, a second note of one key would be a conflict.
  await query('alter table notes drop constraint notes_title_key')

  const ledger = createLedger()
  const seeds = await query<{ id: string }>(
    `insert into notes (title, text) select 'shared ' || n, '0' from generate_series(1, ${SHARED_NOTES}) n returning id`,
  )
  for (const { id } of seeds) ledger.shared.set(id, { acknowledged: [], unknown: 0 })

  const proxy = await startDatabaseProxy(database)
  const instances: Instance[] = []
  for (let number = 1; number <= INSTANCES; number++) {
    const instance = await createInstance(`instance-${number}`, options(proxy.url))
    instances.push(instance)
    await instance.start()
  }

  let isStopping = false
  const running = Array.from({ length: CLIENTS }, () =>
    createClient({ ledger, instances: () => instances.map(({ url }) => url), isStopping: () => isStopping })(),
  )

  const path = `/v1/notes/${seeds[0]?.id}`
  const isReadable = ({ url }: Instance) =>
    fetch(url + path).then(
      ({ status }) => status === 200,
      () => false,
    )
  const countConnections = async () =>
    query<{ name: string; count: number }>(
      `select split_part(application_name, ' ', 1) as name, count(*)::int as count from pg_stat_activity
       where application_name like 'instance-%' group by 1`,
    )
  const report = { faults: {} as Record<string, number>, slowestRecoveryMs: 0, mostConnections: 0 }

  async function make(name: string, fault: Fault): Promise<void> {
    await fault()
    await (await connect()).end()
    const endedAt = performance.now()
    await Promise.all(instances.map((instance) => until(() => isReadable(instance), CHECK_INTERVAL_MS)))
    report.slowestRecoveryMs = Math.max(report.slowestRecoveryMs, performance.now() - endedAt)
    const counts = (await countConnections()).map(({ count }) => count)
    report.mostConnections = Math.max(report.mostConnections, ...counts)
    report.faults[name] = (report.faults[name] ?? 0) + 1
  }

  const faults = Object.entries(listFaults({ database, proxy, instances, counts: ledger.counts, connect }))
  const chosen = faults.filter(([name]) => only?.includes(name) ?? true)
  const endAt = performance.now() + durationMs
  do {
    for (const [name, fault] of chosen) await make(name, fault)
  } while (performance.now() < endAt)

  isStopping = true
  await Promise.all(running)
  // A connection that its user never gives back would not become idle. Only those of the checks remain.
  await until(async () => (await countConnections()).every(({ count }) => count <= 1))
  expect(await Promise.all(instances.map((instance) => instance.stop()))).toEqual(instances.map(() => 0))
  await until(async () => (await countConnections()).length === 0)
  const rows = await query<Row>('select id, title, version, text from notes')
  const [keys] = await query<{ count: number }>('select count(*)::int as count from idempotency_keys')
  await proxy.stop()
  await database.stop()
  return { ledger, problems: audit(ledger, rows), ...report, maxConnections: POOL_MAX + 1, keys: keys?.count ?? 0 }
}
