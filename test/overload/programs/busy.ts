/*
 * A service whose operations take 3 ms of CPU each, with the server, the admission and the Express app of this service:
 *   node busy.ts <OVERLOAD_WAIT_MS, 0 for none>
 * It listens on a free port and prints the port.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import * as z from 'zod'
import { createHttp } from '#internal/http.ts'
import { createOverload } from '#internal/overload.ts'
import { createServer } from '#internal/server.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation, type Priority, type Route } from '#pkg/operation/index.ts'

const CPU_MS = 3

/** Does a fixed amount of work, which takes the same CPU time on a busy machine, although it takes longer there. */
function spin(rounds: number): number {
  let value = 1
  for (let round = 0; round < rounds; round++) value = Math.imul(value ^ round, 0x01000193)
  return value
}

/** The fastest of many short runs had a core to itself. */
function calibrate(): number {
  const rounds = 1e5
  let fastestMs = Infinity
  for (let count = 0; count < 1_000; count++) {
    const startedAt = performance.now()
    spin(rounds)
    fastestMs = Math.min(fastestMs, performance.now() - startedAt)
  }
  return Math.round((rounds * CPU_MS) / fastestMs)
}

const rounds = calibrate()

function work(priority: Priority): Route {
  const get = operation({
    id: priority,
    summary: 'Works',
    public: true,
    priority,
    responses: { 200: { description: 'Done', schema: () => z.object({ done: z.boolean() }) } },
    handler: function work(_req, res) {
      res.json({ done: spin(rounds) !== 0 })
    },
  })
  return { path: `/${priority}`, get }
}

const { server, messages, handle } = createServer({
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 75_000,
  socketTimeoutMs: 120_000,
  ownsSocket: true,
  probe(request, response) {
    if (request.url !== '/health/live') return false
    response.end('{"status":"ok"}')
    return true
  },
})
const logger = createLogger({ level: 'warn', base: {}, destination: process.stderr })
const routes = (['core', 'normal', 'background'] as const).map(work)
const app = createHttp({
  logger,
  context: createRequestContext(),
  messages,
  trustProxy: 1,
  bodyLimitBytes: 1024,
  rateLimit: (_req, _res, next) => next(),
  routes,
})
const maxWaitMs = Number(process.argv[2])
const admission = maxWaitMs === 0 ? undefined : createOverload({ handler: app, routes, maxWaitMs, logger })
handle(app, admission?.admit)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
process.stdout.write(`${(server.address() as AddressInfo).port}\n`)
