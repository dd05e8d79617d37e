import { Kysely, type KyselyConfig, type QueryResult } from 'kysely'
import type { ColumnNames } from './column-names.ts'
import type { PreparedQuery } from './prepare.ts'

export interface RootDatabaseConfig extends Omit<KyselyConfig, 'plugins'> {
  readonly names: ColumnNames
  /** Runs a query outside transactions and sessions. */
  readonly run: <Row>(query: PreparedQuery<Row>) => Promise<QueryResult<Row>>
  /** Closes the connections after the queries in progress. */
  readonly end: () => Promise<void>
}

/**
 * A database outside transactions and sessions. It runs prepared queries without Kysely's executor, which would have no
 * work but takes as much time and memory as the driver. Every database that Kysely derives from this database uses the
 * executor.
 */
export class RootDatabase<Tables> extends Kysely<Tables> {
  readonly names: ColumnNames
  readonly #run: RootDatabaseConfig['run']
  readonly #end: RootDatabaseConfig['end']
  #isDestroyed = false

  constructor({ names, run, end, ...config }: RootDatabaseConfig) {
    super({ ...config, plugins: [names] })
    this.names = names
    this.#run = run
    this.#end = end
  }

  runPrepared<Row>(query: PreparedQuery<Row>): Promise<QueryResult<Row>> {
    if (this.#isDestroyed) return Promise.reject(new Error('the database has already been destroyed'))
    return this.#run(query)
  }

  override async destroy(): Promise<void> {
    this.#isDestroyed = true
    await super.destroy()
    // Kysely does not destroy a driver that it has not used.
    await this.#end()
  }
}
