import type { Kysely } from 'kysely'
import { types } from './client.ts'
import { ColumnNames } from './column-names.ts'
import { type ConnectionsOptions, createConnections } from './connections.ts'
import { createDialect, createRun } from './dialect.ts'
import { RootDatabase } from './root-database.ts'

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
  const driver = { connections, statementTimeoutMs, observer, tracer }
  // The keys inside a column of JSON are data.
  const names = new ColumnNames({ maintainNestedObjectKeys: true })
  return new RootDatabase<Tables>({
    dialect: createDialect(driver),
    names,
    run: createRun(driver),
    end: connections.end,
  })
}
