/*
 * A service whose operations take 3 ms of CPU each, with the server, the admission and the Express app of this service:
 *   node busy.ts <OVERLOAD_WAIT_MS, 0 for none>
 * It listens on a free port and prints the port.
 */
import * as z from 'zod'
import { createOverload } from '#internal/overload.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation, type Priority, type Route } from '#pkg/operation/index.ts'
import { serve } from './serve.ts'

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

const logger = createLogger({ level: 'warn', base: {}, destination: process.stderr })
const routes = (['core', 'normal', 'background'] as const).map(work)
const maxWaitMs = Number(process.argv[2])
const { port } = await serve({
  routes,
  logger,
  admit: (handler) => (maxWaitMs === 0 ? undefined : createOverload({ handler, routes, maxWaitMs, logger }).admit),
})
process.stdout.write(`${port}\n`)
