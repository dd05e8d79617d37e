import { expect } from '@jest/globals'
import { withTimeout } from '#pkg/with-timeout.ts'
import { type AppOptions, killApps, runApp } from '../../support/app.ts'
import { startDatabaseProxy } from '../../support/database-proxy.ts'
import { testPostgres, until } from '../../support/services.ts'
import { createAdmin } from './admin.ts'
import { createClient, type Phase } from './clients.ts'
import { type Fault, listFaults } from './faults.ts'
import { createInstance, type Instance } from './instance.ts'
import { audit, createLedger, type Ledger, type Row } from './ledger.ts'

const CLIENTS = 16
const INSTANCES = 2
const SHARED_NOTES = 4
const POOL_MAX = 5
/** Notes that the clients create between two faults. */
const CREATES_BETWEEN = 100
/** Interval of the health checks: reads work again within this time after a fault. */
const CHECK_INTERVAL_MS = 2_000

/** DATABASE_CONNECT_TIMEOUT_MS keeps its default, because a recovery must not wait for this timeout. */
const ENV = {
  DATABASE_POOL_MAX: String(POOL_MAX),
  DATABASE_STATEMENT_TIMEOUT_MS: '500',
  DATABASE_IDLE_TIMEOUT_MS: '500',
  HEALTH_INTERVAL_MS: String(CHECK_INTERVAL_MS),
}

export interface CampaignOptions {
  /** The service. @default the artifact of this build */
  readonly program?: AppOptions['program']
  /** Names of faults. @default all */
  readonly only?: readonly string[]
  /** Time in which rounds of faults begin, in milliseconds. At least one round runs. */
  readonly durationMs: number
}

export interface CampaignReport {
  readonly ledger: Ledger
  /** Differences between the database and the acknowledged requests. */
  readonly problems: readonly string[]
  /** For each kind of fault, the longest time between its end and a read on every instance, in milliseconds. */
  readonly faults: Readonly<Record<string, { readonly count: number; readonly recoveryMs: number }>>
  /** Number of stored idempotency keys. */
  readonly keys: number
}

/**
 * Runs clients against the service while one fault follows another, and compares the database with the ledger of the
 * clients. Fails when reads do not work within a check interval after a fault, and when a connection leaks.
 */
export async function runCampaign({ program, only, durationMs }: CampaignOptions): Promise<CampaignReport> {
  const database = await testPostgres()
  const proxy = await startDatabaseProxy({ target: database })
  const admin = createAdmin(database.url)
  const ledger = createLedger()
  const instances: Instance[] = []
  const phase: Phase = { isEnding: false, isAborted: false }

  /** Creates the table, and the notes that all clients write. Resolves with the path of one note. */
  async function prepare(): Promise<string> {
    const options: AppOptions = { ...(program && { program }), env: { ...ENV, DATABASE_URL: proxy.url } }
    expect(await runApp(['migrate'], options)).toMatchObject({ code: 0 })
    // With the constraint, a second note of one key would be a conflict.
    await admin.query('alter table notes drop constraint notes_title_key')
    const shared = await admin.query<{ id: string }>(
      `insert into notes (title, text) select 'shared ' || n, '0' from generate_series(1, ${SHARED_NOTES}) n
       returning id`,
    )
    for (const { id } of shared) ledger.shared.set(id, { acknowledged: [], unknown: 0 })
    for (let number = 1; number <= INSTANCES; number++) {
      const instance = await createInstance(`instance-${number}`, options)
      instances.push(instance)
      await instance.start()
    }
    return `/v1/notes/${shared[0]?.id}`
  }

  /** Returns the number of connections of each instance that has some, the connection of its check included. */
  const countConnections = async () =>
    (
      await admin.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where application_name like 'instance-%'
         group by split_part(application_name, ' ', 1)`,
      )
    ).map(({ count }) => count)

  const made: Record<string, { count: number; recoveryMs: number }> = {}

  async function make(name: string, fault: Fault, path: string): Promise<void> {
    await fault()
    await (await admin.connect()).end()
    const endedAt = performance.now()
    const isReadable = async ({ url }: Instance) => (await fetch(url + path).catch(() => undefined))?.status === 200
    // A read that takes longer fails too.
    const reads = instances.map((instance) => until(() => isReadable(instance), CHECK_INTERVAL_MS))
    await withTimeout(Promise.all(reads), CHECK_INTERVAL_MS)
    const { count, recoveryMs } = made[name] ?? { count: 0, recoveryMs: 0 }
    made[name] = { count: count + 1, recoveryMs: Math.max(recoveryMs, Math.round(performance.now() - endedAt)) }
    // The server ends the connections of the fault when it notices that their client is gone.
    await until(async () => (await countConnections()).every((count) => count <= POOL_MAX + 1))
    const { created } = ledger.counts
    await until(() => ledger.counts.created >= created + CREATES_BETWEEN, 60_000)
  }

  async function makeAll(path: string): Promise<void> {
    const faults = Object.entries(listFaults({ database, proxy, instances, counts: ledger.counts, admin }))
    const endAt = performance.now() + durationMs
    do {
      for (const [name, fault] of faults) {
        if (only?.includes(name) ?? true) {
          await make(name, fault, path).catch((cause) => {
            throw new Error(`the service did not recover: ${name}`, { cause })
          })
        }
      }
    } while (performance.now() < endAt)
  }

  try {
    const path = await prepare()
    const run = createClient({ ledger, urls: instances.map(({ url }) => url), phase })
    const clients = Promise.all(Array.from({ length: CLIENTS }, run))
    await Promise.race([makeAll(path), clients])
    phase.isEnding = true
    await withTimeout(clients, 60_000)
    // A leaked connection would not become idle. Only the connections of the checks remain.
    await until(async () => (await countConnections()).every((count) => count <= 1))
    expect(await Promise.all(instances.map((instance) => instance.stop()))).toEqual(instances.map(() => 0))
    await until(async () => (await countConnections()).length === 0)
    const rows = await admin.query<Row>('select id, title, version, text from notes')
    const keys = await admin.query('select from idempotency_keys')
    return { ledger, problems: audit(ledger, rows), faults: made, keys: keys.length }
  } finally {
    Object.assign(phase, { isEnding: true, isAborted: true })
    await killApps()
    await proxy.stop()
    await database.stop()
  }
}
