import {
  DefaultConnectionProvider,
  DefaultQueryExecutor,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from 'kysely'
import { types } from './client.ts'
import { type ConnectionsOptions, createConnections } from './connections.ts'
import { Driver } from './driver.ts'
import { ColumnNames } from './prepare.ts'

export interface DatabaseOptions extends Omit<ConnectionsOptions, 'client'> {
  readonly url: string
  /** Name of the connections in `pg_stat_activity`. */
  readonly applicationName: string
}

/** Opens the first connection at the first query. Columns are camelCase here and snake_case in SQL. */
export function createDatabase<Tables>(options: DatabaseOptions): Kysely<Tables> {
  const { url, applicationName, statementTimeoutMs, observer, tracer } = options
  const client = { connectionString: url, application_name: applicationName, keepAlive: true, types }
  const connections = createConnections({ ...options, client })
  const driver = new Driver({ connections, statementTimeoutMs, observer, tracer })
  const compiler = new PostgresQueryCompiler()
  const adapter = new PostgresAdapter()
  const dialect: Dialect = {
    createDriver: () => driver,
    createQueryCompiler: () => compiler,
    createAdapter: () => adapter,
    createIntrospector: (db) => new PostgresIntrospector(db),
  }
  // The keys inside a column of JSON are data.
  const names = new ColumnNames({ maintainNestedObjectKeys: true })
  // From a dialect alone, Kysely would make an executor that awaits more promises for each query and records each
  // connection in a WeakSet.
  const executor = new DefaultQueryExecutor(compiler, adapter, new DefaultConnectionProvider(driver), [names])
  return new Kysely<Tables>({ config: { dialect }, dialect, driver, executor })
}
