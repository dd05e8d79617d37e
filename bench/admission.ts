import type { RequestListener } from 'node:http'
import { setTimeout } from 'node:timers/promises'
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
const WARM_UP_S = 6
const SPAN_MS = 50
type Row = 'without' | 'control' | 'admission'
const ORDERS: readonly (readonly Row[])[] = [
  ['without', 'control', 'admission'],
  ['control', 'admission', 'without'],
  ['admission', 'without', 'control'],
  ['admission', 'control', 'without'],
]
/** On a busy machine, requests wait for a core. They are not refused. */
const MAX_WAIT_MS = 10_000

/**
 * Measures the CPU time of GET /ping with the queue of the server and with the admission in front of Express. One
 * process alternates between both every 50 ms under the same load: V8 compiles the same code differently in each
 * process, so two processes differ by 10 %, and neighbouring spans meet the same state of the machine. The row `control`
 * is the queue of the server again, so its ratio shows the error of the measurement.
 */
export async function measureAdmission({ quick }: { readonly quick: boolean }): Promise<Measurement[]> {
  const logger = createLogger({ destination: { write() {} } })
  renderFieldsAtOnce(logger)
  const routes = [{ path: '/ping', get: ping() }]
  let resumeClock = () => {}
  // While the admission is off, the process must not pay for the clock of the admission.
  const clock = createTurnClock({
    eachTurn(callback) {
      function each(): void {
        if (variant !== 'admission') return
        callback()
        setImmediate(each).unref()
      }
      resumeClock = () => void setImmediate(each).unref()
    },
  })
  const variants: Partial<Record<Row, RequestListener>> = {}
  let variant: Row = 'without'
  let requests = 0
  const { port, stop } = await serve({
    routes,
    logger,
    admit(app) {
      const { admit } = createOverload({ handler: app, routes, maxWaitMs: MAX_WAIT_MS, logger, clock })
      const queue: RequestListener = (request, response) => void setImmediate(() => app(request, response))
      Object.assign(variants, { without: queue, control: queue, admission: admit })
      return (request, response) => {
        requests++
        variants[variant]?.(request, response)
      }
    },
  })

  /** Returns the CPU time of one request in microseconds. */
  async function measureSpan(row: Row): Promise<number> {
    variant = row
    if (row === 'admission') resumeClock()
    requests = 0
    const before = process.cpuUsage()
    await setTimeout(SPAN_MS)
    const { user, system } = process.cpuUsage(before)
    return (user + system) / requests
  }

  async function measureLoad(connections: number, seconds: number) {
    const rows: Record<Row, number[]> = { without: [], control: [], admission: [] }
    requests = 0
    const load = wrk(`http://127.0.0.1:${port}/ping`, { seconds, connections })
    while (requests === 0) await setTimeout(SPAN_MS)
    const end = performance.now() + (seconds - 1) * 1_000
    // The order changes, so a trend affects every row.
    for (let round = 0; performance.now() < end; round++) {
      for (const row of ORDERS[round % ORDERS.length] ?? []) rows[row].push(await measureSpan(row))
    }
    await load
    return rows
  }

  const measurements: Measurement[] = []
  await pin(process.pid, [SERVER_CPU])
  for (const connections of CONNECTIONS) {
    await measureLoad(connections, WARM_UP_S)
    measurements.push({
      name: `admission, ${connections}`,
      title: `CPU time of GET /ping with ${connections} connection${connections === 1 ? '' : 's'}, without overload`,
      unit: 'µs',
      base: 'without',
      rows: await measureLoad(connections, quick ? 5 : 60),
    })
  }
  await pin(process.pid, listCores())
  stop()
  return measurements
}
