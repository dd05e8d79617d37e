import { setTimeout } from 'node:timers/promises'
import { withTimeout } from '#pkg/with-timeout.ts'
import type { Cut, DatabaseProxy } from '../../support/database-proxy.ts'
import { type TestService, until } from '../../support/services.ts'
import type { Admin } from './admin.ts'
import type { Instance } from './instance.ts'
import type { Counts } from './ledger.ts'

export interface FaultDeps {
  readonly database: TestService
  readonly proxy: DatabaseProxy
  readonly instances: readonly Instance[]
  readonly counts: Counts
  readonly admin: Admin
}

/** Causes a fault. Resolves when the cause has ended. */
export type Fault = () => Promise<void>

/** Longest wait for requests that fail, or that write. */
const TIMEOUT_MS = 60_000

/** Cuts for each fault of this kind. */
const CUTS = 30

/** Every fault, by name. */
export function listFaults({ database, proxy, instances, counts, admin }: FaultDeps): Readonly<Record<string, Fault>> {
  const unavailable = () => counts.attempts[503] ?? 0
  let turns = 0

  async function cut(moment: Cut): Promise<void> {
    for (let count = 0; count < CUTS; count++) await withTimeout(proxy.cutNext(moment), TIMEOUT_MS)
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
      await until(() => unavailable() >= before + 32, TIMEOUT_MS)
      database.resume()
    },
    'backends terminated': async () => {
      await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where backend_type = 'client backend' and pid <> pg_backend_pid()`,
      )
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
      for (let count = 0; count < 10; count++) {
        proxy.cutAll()
        await setTimeout(20)
      }
    },
  }
}
