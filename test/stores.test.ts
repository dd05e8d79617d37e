import { readFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { sql } from 'kysely'
import pg from 'pg'
import { createPostgres, type Postgres } from '../internal/store/postgres.ts'
import { createRedis, type Redis } from '../internal/store/redis.ts'
import { TimeoutError } from '../pkg/with-timeout.ts'
import { killApps, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { type TestService, testPostgres, testRedis, until } from './support/services.ts'

let database: TestService
let redis: TestService
let admin: pg.Client

beforeAll(async () => {
  ;[database, redis] = await Promise.all([testPostgres({ settings: { log_statement: 'all' } }), testRedis()])
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  admin = new pg.Client(database.url)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await Promise.all([database.stop(), redis.stop()])
})
afterEach(killApps)

function openPostgres(url: string, options: { statementTimeoutMs?: number } = {}): Postgres {
  return createPostgres({
    url,
    applicationName: 'stores-test',
    poolMax: 2,
    connectTimeoutMs: 1_000,
    statementTimeoutMs: 5_000,
    idleTimeoutMs: 1_000,
    onError: () => {},
    ...options,
  })
}

test('dates and timestamps are strings of JSON in any time zone of the session', async () => {
  const { db, stop } = openPostgres(`${database.url}?options=-c%20timezone%3DAsia%2FTokyo`)
  const { rows } = await sql`
    select current_setting('timezone') as zone, date '2026-11-22' as due_on, null::date as no_day,
      timestamptz '2026-11-22T20:46:02.125Z' as sent_at, timestamptz 'infinity' as last_at`.execute(db)
  expect(rows).toEqual([
    {
      zone: 'Asia/Tokyo',
      dueOn: '2026-11-22',
      noDay: null,
      sentAt: '2026-11-22T20:46:02.125Z',
      lastAt: 'infinity',
    },
  ])
  await stop()
})

describe('probes and queries', () => {
  /** The query of the check, in the log of PostgreSQL. */
  const CHECK = /(?:statement|execute <unnamed>): select name from schema_migrations/

  test('a thousand simultaneous requests for /health cause no query', async () => {
    const app = await startApp({ env: { DATABASE_URL: database.url, HEALTH_INTERVAL_MS: '60000' } })
    await app.line({ message: 'check ok', 'service.target.name': 'database' })
    const log = readFileSync(`${await dataDirectory()}/../postgres.log`, 'utf8')
    const agent = new Agent({ keepAlive: true, maxSockets: 1_000 })
    const ask = () =>
      new Promise<number>((resolve, reject) => {
        get(`${app.url}/health`, { agent }, (res) => res.resume().once('end', () => resolve(res.statusCode ?? 0))).once(
          'error',
          reject,
        )
      })
    const statuses = await Promise.all(Array.from({ length: 1_000 }, ask))
    agent.destroy()
    expect(statuses.filter((status) => status === 200)).toHaveLength(1_000)
    const since = readFileSync(`${await dataDirectory()}/../postgres.log`, 'utf8').slice(log.length)
    expect(log).toMatch(CHECK)
    expect(since).not.toMatch(CHECK)
    // The count is valid: each additional query adds one line.
    await admin.query('select name from schema_migrations')
    await until(async () =>
      CHECK.test(readFileSync(`${await dataDirectory()}/../postgres.log`, 'utf8').slice(log.length)),
    )
  })

  async function dataDirectory(): Promise<string> {
    const { rows } = await admin.query('show data_directory')
    return rows[0].data_directory
  }

  test('the connection of the check has a different application name', async () => {
    const app = await startApp({ env: { DATABASE_URL: database.url, SERVICE_NAME: 'orders' } })
    await app.line({ message: 'check ok', 'service.target.name': 'database' })
    const { rows } = await admin.query(
      `select application_name from pg_stat_activity where application_name like 'orders%'`,
    )
    expect(rows).toEqual([{ application_name: 'orders health' }])
    app.signal('SIGINT')
    await app.ended
    await until(
      async () =>
        (await admin.query(`select from pg_stat_activity where application_name like 'orders%'`)).rowCount === 0,
    )
  })

  test('the check has a connection while every connection of the pool is busy', async () => {
    const postgres = openPostgres(database.url)
    const busy = [1, 2].map(() => sql`select pg_sleep(1)`.execute(postgres.db))
    await postgres.check(new AbortController().signal)
    await Promise.all(busy)
    await postgres.stop()
  })
})

describe('postgres', () => {
  test('the server ends a statement that exceeds the timeout', async () => {
    const postgres = openPostgres(database.url, { statementTimeoutMs: 100 })
    await expect(sql`select pg_sleep(10)`.execute(postgres.db)).rejects.toMatchObject({ code: '57014' })
    await postgres.stop()
  })

  test('a query that times out closes its connection, and the next query gets another connection', async () => {
    const postgres = openPostgres(database.url, { statementTimeoutMs: 100 })
    const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(postgres.db)
    const pid = rows[0]!.pid
    // SIGSTOP makes this connection silent, like a firewall that has dropped it. Other connections work.
    process.kill(pid, 'SIGSTOP')
    try {
      await expect(sql`select 1`.execute(postgres.db)).rejects.toThrow('Query read timeout')
      expect((await sql`select 1`.execute(postgres.db)).rows).toHaveLength(1)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await postgres.stop()
  })

  test('the next query works after the server has ended every connection', async () => {
    const postgres = openPostgres(database.url)
    await sql`select 1`.execute(postgres.db)
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'stores-test'`)
    await until(() =>
      sql`select 1`.execute(postgres.db).then(
        () => true,
        () => false,
      ),
    )
    await postgres.stop()
  })
})

test.each([
  ['an unknown authentication request', Buffer.from('52000000080000000700', 'hex').subarray(0, 9)],
  ['an invalid row description', Buffer.from('54000000067fff', 'hex')],
  ['HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
])('a server that responds with %s ends a connection and not the process', async (_name, bytes) => {
  const server = createServer((socket) => socket.on('error', () => {}).once('data', () => socket.write(bytes)))
  const { port, stop } = await listen(server)
  const env = {
    DATABASE_URL: `postgres://app:x@127.0.0.1:${port}/app`,
    HEALTH_INTERVAL_MS: '200',
    HEALTH_TIMEOUT_MS: '200',
  }
  const app = await startApp({ env })
  await app.line({ message: 'check failed', 'service.target.name': 'database' })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  app.signal('SIGINT')
  expect(await app.ended).toEqual({ code: 0, signal: null })
  void stop()
})

describe('redis', () => {
  const options = (onError = () => {}) => ({
    url: redis.url,
    clientName: 'stores-test',
    connectTimeoutMs: 1_000,
    onError,
  })
  const never = new AbortController().signal

  test('a command on a broken connection fails immediately', async () => {
    const store = createRedis(options())
    store.start()
    await store.ping(never)
    await redis.kill()
    await until(() => !store.client().isReady)
    const late = setTimeout(1_000).then(() => 'waited')
    await expect(Promise.race([store.run(60_000, 'GET', 'x'), late])).rejects.toThrow()
    await redis.restart()
    await until(() => store.client().isReady)
    await store.run(1_000, 'SET', 'x', '1')
    expect(await store.run(1_000, 'GET', 'x')).toBe('1')
    await store.stop()
  })

  test('an error response does not affect the next command', async () => {
    const store = createRedis(options())
    store.start()
    await store.ping(never)
    store.client().emit('error', new Error('BUSY Redis is busy running a script.'))
    await store.ping(never)
    await store.stop()
  })

  /** Starts a ping that has timed out before Redis can respond. */
  function pingTooLate(store: Redis): Promise<unknown> {
    const timeout = new AbortController()
    const pinged = store.ping(timeout.signal)
    timeout.abort(new TimeoutError())
    return pinged
  }

  test('a ping that times out replaces a connection without responses, even while commands are written to it', async () => {
    const store = createRedis(options())
    store.start()
    await store.ping(never)
    const responds = () =>
      store.run(1_000, 'PING').then(
        () => true,
        () => false,
      )
    store
      .client()
      .sendCommand(['CLIENT', 'REPLY', 'OFF'])
      .catch(() => {})
    const written = responds()
    await expect(pingTooLate(store)).rejects.toThrow()
    expect(await written).toBe(false)
    await until(responds)
    await store.stop()
  })

  test('a ping that is aborted without a timeout keeps the connection', async () => {
    const store = createRedis(options())
    store.start()
    await store.ping(never)
    const client = store.client()
    const stopped = new AbortController()
    const pinged = store.ping(stopped.signal)
    stopped.abort()
    await pinged
    expect(store.client()).toBe(client)
    await store.stop()
  })

  test('a ping that times out fails the commands that wait on a connection that hangs', async () => {
    const store = createRedis(options())
    store.start()
    await store.ping(never)
    redis.hang()
    const waiting = expect(store.run(60_000, 'GET', 'x')).rejects.toThrow()
    await expect(pingTooLate(store)).rejects.toThrow()
    await waiting
    redis.resume()
    await store.ping(never)
    await store.stop()
  })
})
