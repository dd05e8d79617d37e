import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { Connection } from '../../pkg/postgres/connection.ts'
import { createDatabase, type DatabaseOptions, GuardedClient } from '../../pkg/postgres/index.ts'
import { type TestService, testPostgres } from './services.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export interface TestPostgres {
  readonly server: TestService
  /** A connection that no fault affects. */
  readonly admin: pg.Client
}

/** Starts a PostgreSQL before the tests of a file, and stops it after them. Read the properties inside a test. */
export function usePostgres(): TestPostgres {
  let server: TestService
  let admin: pg.Client
  beforeAll(async () => {
    server = await testPostgres()
    admin = new pg.Client(server.url)
    await admin.connect()
  })
  afterAll(async () => {
    await admin.end()
    await server.stop()
  })
  return {
    get server() {
      return server
    },
    get admin() {
      return admin
    },
  }
}

export interface TestDatabases<Tables> {
  /** A path to the server that can fail, new for each test. */
  readonly proxy: TcpProxy
  /** Opens a database behind the proxy. It is closed after the test. */
  open(options?: Partial<DatabaseOptions>): Kysely<Tables>
}

/** Lets each test open databases behind a proxy. Read the property inside a test. */
export function useDatabases<Tables>(postgres: TestPostgres): TestDatabases<Tables> {
  const opened: Kysely<Tables>[] = []
  let proxy: TcpProxy
  beforeEach(async () => {
    proxy = await startTcpProxy(postgres.server.url)
  })
  afterEach(async () => {
    proxy.pass()
    await Promise.all(opened.splice(0).map((each) => each.destroy()))
    await proxy.stop()
  })
  return {
    get proxy() {
      return proxy
    },
    open(options = {}) {
      const database = createDatabase<Tables>({
        url: proxy.url,
        applicationName: 'postgres-test',
        poolMax: 1,
        connectTimeoutMs: 5_000,
        statementTimeoutMs: 5_000,
        idleTimeoutMs: 60_000,
        onError: () => {},
        ...options,
      })
      opened.push(database)
      return database
    },
  }
}

/** Resolves with `ok`, or with the message of the error. */
export const outcome = (work: Promise<unknown>) =>
  work.then(
    () => 'ok',
    (error: Error) => error.message,
  )

export interface Things {
  readonly things: { readonly id: number; readonly nickName: string | null; readonly data: unknown }
}

/** Provides each test with the empty table `things`, and with databases that reach it through a proxy. */
export function useThings(): { postgres: TestPostgres; databases: TestDatabases<Things> } {
  const postgres = usePostgres()
  const databases = useDatabases<Things>(postgres)
  beforeEach(async () => {
    await postgres.admin.query(
      'drop table if exists things; create table things (id int primary key, nick_name text, data jsonb)',
    )
  })
  return { postgres, databases }
}

/** Selects a value and the process of the server that returns it. */
export const selectValue = (database: Kysely<Things>, value: number) =>
  sql<{ value: number; pid: number }>`select ${value}::int as value, pg_backend_pid() as pid`
    .execute(database)
    .then(({ rows }) => rows[0]!)

/** Counts the messages in the held bytes of a client that begin the execution of a statement. */
export const countExecutions = ({ held }: TcpProxy) => held.toString('latin1').split('E\0\0\0\x09').length - 1

/** Opens a connection without a pool. */
export async function connectOne({ server }: TestPostgres) {
  const client = new GuardedClient({ connectionString: server.url, pipeline: true })
  await client.connect()
  return {
    client,
    connection: new Connection({ client, isDirect: true, prepare: true, onBusy: () => {}, onSettled: () => {} }),
  }
}
