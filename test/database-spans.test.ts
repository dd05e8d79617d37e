import { AsyncLocalStorage } from 'node:async_hooks'
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { type Kysely, sql } from 'kysely'
import { createDatabase } from '#pkg/postgres/index.ts'
import { createTracer, type FinishedSpan } from '#pkg/tracing/index.ts'
import { type TestService, testPostgres, until } from './support/services.ts'

const TRACE = { traceId: 'a'.repeat(32), parentId: undefined, sampled: true, state: undefined }
const storage = new AsyncLocalStorage<{ requestId: string; trace: FinishedSpan | typeof TRACE }>()
const spans: FinishedSpan[] = []
let minted = 0
const context = {
  current: () => storage.getStore() as never,
  run: <T>(context: never, work: () => T) => storage.run(context, work),
  mintSpanId: () => `span-${++minted}`,
}
const tracer = createTracer({ context, sinks: [{ wants: () => true, onEnd: (span) => void spans.push(span) }] })

let server: TestService
let db: Kysely<{ readonly things: { readonly id: number } }>
beforeAll(async () => {
  server = await testPostgres()
  db = createDatabase({
    url: server.url,
    applicationName: 'spans',
    poolMax: 1,
    connectTimeoutMs: 5_000,
    statementTimeoutMs: 5_000,
    idleTimeoutMs: 60_000,
    onError() {},
    tracer: {
      currentSpanId: tracer.currentSpanId,
      start: ({ summary }, parent) => tracer.start(summary, { parentId: parent?.spanId }),
    },
  })
  await sql`create table things (id int primary key)`.execute(db)
}, 60_000)
afterAll(async () => {
  await db?.destroy()
  await server?.stop()
})
afterEach(() => {
  spans.length = 0
})

/** Runs work in a request whose server span is `request`. */
const inRequest = <T>(work: () => Promise<T>) =>
  storage.run({ requestId: 'r-1', trace: { ...TRACE, spanId: 'request' } as never }, work)

/** Lists each span as `name < name of its parent`, in the order of their ends. */
const tree = () =>
  spans.map(({ name, parentId }) => `${name} < ${spans.find(({ spanId }) => spanId === parentId)?.name ?? parentId}`)

const find = (name: string) => spans.find((span) => span.name === name)

test('the wait for a connection is a child of the statement or the transaction that waits', async () => {
  const gate = Promise.withResolvers<void>()
  const isHeld = Promise.withResolvers<void>()
  const first = inRequest(() =>
    db.transaction().execute(async (transaction) => {
      await sql`select 1 from things`.execute(transaction)
      isHeld.resolve()
      await gate.promise
    }),
  )
  await isHeld.promise
  const second = inRequest(() => db.selectFrom('things').selectAll().execute())
  const third = inRequest(() => db.transaction().execute((transaction) => sql`select 3`.execute(transaction)))
  gate.resolve()
  await Promise.all([first, second, third])
  expect(tree()).toEqual([
    'SELECT things < transaction',
    'COMMIT < transaction',
    'transaction < request',
    'wait for a connection < SELECT things',
    'wait for a connection < transaction',
    'SELECT things < request',
    'SELECT < transaction',
    'COMMIT < transaction',
    'transaction < request',
  ])
})

test('a statement in a separate span inside a transaction is a child of that span', async () => {
  await inRequest(() =>
    db.transaction().execute((transaction) =>
      tracer.trace('check stock', {}, async () => {
        await transaction.selectFrom('things').selectAll().execute()
      }),
    ),
  )
  expect(tree()).toEqual([
    'SELECT things < check stock',
    'check stock < request',
    'COMMIT < transaction',
    'transaction < request',
  ])
})

test('a failed statement has the SQLSTATE, and its transaction has a rollback', async () => {
  const insert = (id: number) => db.insertInto('things').values({ id }).execute()
  await inRequest(() => insert(1))
  await expect(inRequest(() => insert(1))).rejects.toThrow()
  expect(spans.map(({ name, error }) => [name, error])).toEqual([
    ['INSERT things', undefined],
    ['INSERT things', '23505'],
  ])
  spans.length = 0
  const fail = inRequest(() => db.transaction().execute((transaction) => sql`select 1 / 0`.execute(transaction)))
  await expect(fail).rejects.toThrow()
  expect(tree()).toEqual(['SELECT < transaction', 'ROLLBACK < transaction', 'transaction < request'])
  expect(find('SELECT')?.error).toBe('22012')
})

test('a stream is one span', async () => {
  await inRequest(async () => {
    for await (const _row of db.selectFrom('things').selectAll().stream(1)) break
  })
  await until(() => spans.length > 0)
  expect(tree()).toContain('SELECT things < request')
})

test('the span of a failed stream has the SQLSTATE', async () => {
  const read = async () => {
    for await (const _row of db.selectFrom('things').select(sql`1 / 0`.as('x')).stream(1));
  }
  await inRequest(() => db.insertInto('things').values({ id: 2 }).execute())
  await expect(inRequest(read)).rejects.toThrow()
  await until(() => spans.some(({ name }) => name === 'SELECT things'))
  expect(find('SELECT things')?.error).toBe('22012')
})

test('work outside a request has no spans', async () => {
  await db.selectFrom('things').selectAll().execute()
  await db.transaction().execute((transaction) => sql`select 1`.execute(transaction))
  expect(spans).toEqual([])
})
