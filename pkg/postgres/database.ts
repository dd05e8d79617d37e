import { Kysely } from 'kysely'
import { types } from './client.ts'
import { ColumnNames } from './column-names.ts'
import { createConnections, type DatabaseObserver } from './connections.ts'
import { createDialect } from './dialect.ts'

export interface DatabaseOptions {
  readonly url: string
  /** Name of the connections in `pg_stat_activity`. */
  readonly applicationName: string
  readonly poolMax: number
  /** Longest wait for a connection, in milliseconds. */
  readonly connectTimeoutMs: number
  /** Longest execution of one statement, and longest pause inside a transaction, in milliseconds. */
  readonly statementTimeoutMs: number
  /** Lifetime of an idle connection, in milliseconds. */
  readonly idleTimeoutMs: number
  /**
   * Whether the server keeps parsed statements. @default only on a direct connection, because a pooler may lose them
   */
  readonly prepare?: boolean | undefined
  /** Called when a connection breaks. The pool opens another connection on demand. */
  readonly onError: (error: Error) => void
  /** @default no measurements */
  readonly observer?: DatabaseObserver | undefined
}

/** Opens the first connection at the first query. Columns are camelCase here and snake_case in SQL. */
export function createDatabase<Tables>(options: DatabaseOptions): Kysely<Tables> {
  const { url, applicationName, poolMax, statementTimeoutMs, observer } = options
  const client = { connectionString: url, application_name: applicationName, keepAlive: true, types }
  const connections = createConnections({ ...options, client, max: poolMax })
  const dialect = createDialect({ connections, statementTimeoutMs, observer })
  // The keys inside a column of JSON are data.
  const names = new ColumnNames({ maintainNestedObjectKeys: true })
  return new Kysely<Tables>({ dialect, plugins: [names] })
}
