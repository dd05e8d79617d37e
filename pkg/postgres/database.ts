import { Kysely } from 'kysely'
import { types } from './client.ts'
import { ColumnNames } from './column-names.ts'
import { type ConnectionsOptions, createConnections } from './connections.ts'
import { createDialect } from './dialect.ts'

export interface DatabaseOptions extends Omit<ConnectionsOptions, 'client' | 'max'> {
  readonly url: string
  /** Name of the connections in `pg_stat_activity`. */
  readonly applicationName: string
  readonly poolMax: number
}

/** Opens the first connection at the first query. Columns are camelCase here and snake_case in SQL. */
export function createDatabase<Tables>(options: DatabaseOptions): Kysely<Tables> {
  const { url, applicationName, poolMax, statementTimeoutMs, observer, tracer } = options
  const client = { connectionString: url, application_name: applicationName, keepAlive: true, types }
  const connections = createConnections({ ...options, client, max: poolMax })
  const dialect = createDialect({ connections, statementTimeoutMs, observer, tracer })
  // The keys inside a column of JSON are data.
  const names = new ColumnNames({ maintainNestedObjectKeys: true })
  return new Kysely<Tables>({ dialect, plugins: [names] })
}
