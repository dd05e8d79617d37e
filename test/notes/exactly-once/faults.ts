import { setTimeout } from 'node:timers/promises'
import type pg from 'pg'
import { type TestService, until } from '../../support/services.ts'
import type { Cut, DatabaseProxy } from './database-proxy.ts'
import type { Instance } from './instance.ts'
import type { Counts } from './ledger.ts'

export interface FaultDeps {
  readonly database: TestService
  readonly proxy: DatabaseProxy
  readonly instances: readonly Instance[]
  readonly counts: Counts
  /** Resolves with a connection that does not pass through the proxy, as soon as the database accepts one. */
  readonly connect: () => Promise<pg.Client>
}

/** Makes a fault and resolves when its cause is gone. */
export type Fault = () => Promise<void>

/** Cuts for each fault of this kind. */
const CUTS = 10

/** Every fault, by name. */
export function listFaults({
  database,
  proxy,
  instances,
  counts,
  connect,
}: FaultDeps): Readonly<Record<string, Fault>> {
  const unavailable = () => counts.attempts[503] ?? 0
  let turns = 0

  async function cut(moment: Cut): Promise<void> {
    for (let count = 0; count < CUTS; count++) await proxy.cutNext(moment)
  }

  return {
    'database killed': async () => {
      await database.kill()
      await database.restart()
    },
    'database restarted': async () => {
      await database.shutDown()
      await database.restart()
    },
    /** Queries reach their timeout in the service, and the database executes them afterwards. */
    'database frozen': async () => {
      const before = unavailable()
      database.hang()
      await until(() => unavailable() >= before + 16, 60_000)
      database.resume()
    },
    'backends terminated': async () => {
      const admin = await connect()
      await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()
        and backend_type = 'client backend'`)
      await admin.end()
    },
    'instance killed': async () => {
      const instance = instances[turns++ % instances.length]!
      await instance.kill()
      await instance.start()
    },
    'connections cut before a commit': () => cut('before-commit'),
    'connections cut after a write': () => cut('after-write'),
    'network down': async () => {
      // New connections open and are cut again.
      for (let count = 0; count < CUTS; count++) {
        proxy.cutAll()
        await setTimeout(20)
      }
    },
  }
}
