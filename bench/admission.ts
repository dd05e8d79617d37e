import type { RequestListener } from 'node:http'
import { ping } from '../internal/handler/ping.ts'
import { createOverload } from '../internal/overload.ts'
import { renderFieldsAtOnce } from '../pkg/fast-path/log-line.ts'
import { createLogger } from '../pkg/logging/index.ts'
import { createTurnClock } from '../pkg/overload/index.ts'
import { serve } from '../test/overload/programs/serve.ts'
import { listCores, pin } from '../test/support/cpu.ts'
import { SERVER_CPU } from './cpu.ts'
import type { Measurement } from './measurement.ts'
import { wrk } from './wrk.ts'

/** With one connection, each turn of the event loop has one request. */
const CONNECTIONS = [1, 16]
const WARM_UP = 5
/** On a busy machine, requests wait for a core. They are not refused. */
const MAX_WAIT_MS = 10_000

/**
 * Measures the CPU time of GET /ping with the queue of the server and with the admission in front of Express. One
 * process has both, because V8 compiles the same code differently in each process: processes differ by 10 %.
 */
export async function measureAdmission({ quick }: { readonly quick: boolean }): Promise<Measurement[]> {
  const logger = createLogger({ destination: { write() {} } })
  renderFieldsAtOnce(logger)
  const routes = [{ path: '/ping', get: ping() }]
  let hasAdmission = true
  let resumeClock = () => {}
  // Without the admission, the process must not pay for its clock.
  const clock = createTurnClock({
    eachTurn(callback) {
      function each(): void {
        if (!hasAdmission) return
        callback()
        setImmediate(each).unref()
      }
      resumeClock = () => void setImmediate(each).unref()
    },
  })
  const variants: RequestListener[] = []
  const { port, stop } = await serve({
    routes,
    logger,
    admit(app) {
      const { admit } = createOverload({ handler: app, routes, maxWaitMs: MAX_WAIT_MS, logger, clock })
      variants.push((request, response) => void setImmediate(() => app(request, response)), admit)
      return (request, response) => variants[Number(hasAdmission)]?.(request, response)
    },
  })

  /** Returns the CPU time of one request in microseconds. */
  async function measure(withAdmission: boolean, connections: number): Promise<number> {
    hasAdmission = withAdmission
    if (withAdmission) resumeClock()
    const seconds = 1
    const before = process.cpuUsage()
    const perSecond = await wrk(`http://127.0.0.1:${port}/ping`, { seconds, connections })
    const { user, system } = process.cpuUsage(before)
    return (user + system) / (perSecond * seconds)
  }

  const pairs = quick ? 4 : 40
  const measurements: Measurement[] = []
  await pin(process.pid, [SERVER_CPU])
  for (const connections of CONNECTIONS) {
    const rows = { without: [] as number[], admission: [] as number[] }
    for (let pair = -WARM_UP; pair < pairs; pair++) {
      // The order alternates, so a trend affects both.
      const isFirst = pair % 2 === 0
      const first = await measure(isFirst, connections)
      const second = await measure(!isFirst, connections)
      if (pair < 0) continue
      rows.admission.push(isFirst ? first : second)
      rows.without.push(isFirst ? second : first)
    }
    measurements.push({
      name: `admission, ${connections}`,
      title: `CPU time of GET /ping with ${connections} connection${connections === 1 ? '' : 's'}, without overload`,
      unit: 'µs',
      base: 'without',
      rows,
    })
  }
  await pin(process.pid, listCores())
  stop()
  return measurements
}
