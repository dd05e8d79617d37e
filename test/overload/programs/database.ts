/*
 * A service with a pool of ten connections, a core operation that reads and a background operation whose query takes
 * 0.8 s:
 *   node database.ts <DATABASE_URL> <gate or naive>
 * It listens on a free port and prints the port.
 */
import { type RawBuilder, sql } from 'kysely'
import * as z from 'zod'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation, type Priority, type Route } from '#pkg/operation/index.ts'
import { createDatabase, withStoreProblems } from '#pkg/postgres/index.ts'
import { serve } from './serve.ts'

const [, , url = '', variant] = process.argv
const logger = createLogger({ level: 'silent', base: {}, destination: process.stderr })
const context = createRequestContext()
const db = createDatabase<unknown>({
  url,
  applicationName: 'resilience',
  poolMax: 10,
  connectTimeoutMs: 3_000,
  statementTimeoutMs: 10_000,
  idleTimeoutMs: 60_000,
  onError: (error) => logger.error(error),
  ...(variant === 'gate' && { queueTimeoutMs: 250, priority: () => context.current()?.priority }),
})

function query(priority: Priority, query: RawBuilder<unknown>): Route {
  const store = withStoreProblems({ query: () => query.execute(db) })
  const get = operation({
    id: priority,
    summary: 'Queries',
    public: true,
    priority,
    responses: { 200: { description: 'Done', schema: () => z.object({ done: z.literal(true) }) } },
    handler: async function query(_req, res) {
      await store.query()
      res.json({ done: true })
    },
  })
  return { path: `/${priority}`, get }
}

const { port } = await serve({
  routes: [query('core', sql`select 1`), query('background', sql`select pg_sleep(0.8)`)],
  logger,
  context,
})
process.stdout.write(`${port}\n`)
