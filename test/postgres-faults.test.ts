import { once } from 'node:events'
import { Socket } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { beforeEach, describe, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { type ConnectionsOptions, createConnections } from '../pkg/postgres/connections.ts'
import { outcome, useDatabases, usePostgres } from './support/postgres.ts'
import { until } from './support/services.ts'

interface Tables {
  readonly things: { readonly id: number }
}

const postgres = usePostgres()
const databases = useDatabases<Tables>(postgres)
const { open } = databases
beforeEach(async () => {
  await postgres.admin.query('drop table if exists things; create table things (id int primary key)')
})
const select = (value: unknown, database: Kysely<Tables>) =>
  sql<{ value: unknown }>`select ${value}::text as value`.execute(database).then(({ rows }) => rows[0]?.value)

const insert = (id: number, database: Kysely<Tables>) => database.insertInto('things').values({ id }).execute()

const sent = (text: string) => databases.proxy.held.toString('latin1').includes(text)

/** Stops this process. */
function stall(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

describe('a statement that follows another statement of its transaction', () => {
  test.each([
    ['rollback', () => Promise.reject(new Error('changed my mind'))],
    ['commit', () => Promise.resolve()],
  ])('during the %s is not executed after it', async (command, end) => {
    const db = open()
    await select(0, db)
    let late = Promise.resolve('')
    const work = db.transaction().execute(async (transaction) => {
      await select(1, transaction)
      databases.proxy.hold()
      late = outcome(select(2, transaction).then(() => insert(1, transaction)))
      await until(() => sent('E\0\0\0\x09'))
      return end()
    })
    const ended = outcome(work)
    await until(() => sent(command))
    databases.proxy.pass()
    await ended
    expect(await late).toBe('the statement came after the end of its transaction')
    expect((await postgres.admin.query('select from things')).rowCount).toBe(0)
    await insert(2, db)
    expect(databases.proxy.connections).toBe(1)
  })
})

test('statements and streams may follow a transaction in a session', async () => {
  await open()
    .connection()
    .execute(async (session) => {
      await session.transaction().execute((transaction) => insert(1, transaction))
      await insert(2, session)
      for (let round = 0; round < 2; round++) {
        const ids: number[] = []
        for await (const { id } of session.selectFrom('things').select('id').orderBy('id').stream(1)) ids.push(id)
        expect(ids).toEqual([1, 2])
      }
    })
})

test('a value that cannot be converted to text fails only its statement, also among statements that wait for a connection', async () => {
  const db = open()
  const broken = {
    toPostgres() {
      throw new Error('no text')
    },
  }
  for (let round = 0; round < 2; round++) {
    const results = await Promise.allSettled(['a', broken, 'b', 'c'].map((value) => select(value, db)))
    expect(results).toMatchObject([{ value: 'a' }, { reason: { message: 'no text' } }, { value: 'b' }, { value: 'c' }])
  }
  await db.transaction().execute(async (transaction) => {
    expect(await outcome(select(broken, transaction))).toBe('no text')
    expect(await select('d', transaction)).toBe('d')
    await insert(1, transaction)
  })
  expect((await postgres.admin.query('select from things')).rowCount).toBe(1)
  expect(databases.proxy.connections).toBe(1)
})

describe('the pool', () => {
  function openConnections(stream: () => Socket, options: Partial<ConnectionsOptions> = {}) {
    return createConnections({
      client: { connectionString: postgres.server.url, stream },
      poolMax: 1,
      connectTimeoutMs: 5_000,
      statementTimeoutMs: 5_000,
      idleTimeoutMs: 60_000,
      onError: () => {},
      ...options,
    })
  }
  const pidQuery = { text: 'select pg_backend_pid() as pid', values: [] }

  test('replaces an idle connection whose server has vanished', async () => {
    const sockets: Socket[] = []
    const stream = () => sockets[sockets.push(new Socket()) - 1]!
    const connections = openConnections(stream, { idleTimeoutMs: 100 })
    const { pid } = (await connections.run(pidQuery)).rows[0]
    process.kill(pid, 'SIGSTOP')
    try {
      await once(sockets[0]!, 'finish')
      expect((await connections.run(pidQuery)).rows[0].pid).not.toBe(pid)
      await connections.end()
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  })

  test('connects again for a waiting statement, one second after a failed attempt', async () => {
    let attempts = 0
    const connections = openConnections(
      () => {
        const socket = new Socket()
        if (++attempts !== 2) return socket
        socket.connect = () => {
          return socket.destroy(new Error('refused'))
        }
        return socket
      },
      { poolMax: 2 },
    )
    const reserved = await connections.reserve()
    expect((await connections.run(pidQuery)).rowCount).toBe(1)
    expect(attempts).toBe(3)
    connections.release(reserved)
    await connections.end()
  })
})

test('a stall of the process ends neither a statement nor its connection', async () => {
  const db = open({ statementTimeoutMs: 100 })
  await select(0, db)
  databases.proxy.hold()
  const statement = outcome(select(1, db))
  await until(() => sent('E\0\0\0\x09'))
  // Timers of one duration fire in order, so the pool has looked at the statement before and after the stall.
  const looks = async () => {
    for (let tick = 0; tick < 3; tick++) await setTimeout(5)
  }
  await looks()
  stall(1_500)
  await looks()
  databases.proxy.pass()
  expect(await statement).toBe('ok')
  expect(databases.proxy.connections).toBe(1)
})

test('a statement that waits for a connection gets it when the process resumes after a stall', async () => {
  const db = open({ url: postgres.server.url, connectTimeoutMs: 1_000 })
  await select(0, db)
  await postgres.admin.query('select pg_advisory_lock(1)')
  const session = db.connection().execute((session) => sql`select pg_advisory_lock(${1})`.execute(session))
  await until(async () => (await postgres.admin.query('select from pg_locks where not granted')).rowCount === 1)
  const waiting = outcome(select(1, db))
  const unlocked = postgres.admin.query('select pg_advisory_unlock(1)')
  setImmediate(() => stall(1_500))
  expect(await waiting).toBe('ok')
  await Promise.all([session, unlocked])
})
