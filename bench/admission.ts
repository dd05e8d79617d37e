import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
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
const WARM_UP_S = 3
const SPAN_MS = 250
/** Requests in each span of the measurement without sockets. */
const REQUESTS = 48_000
/** On a busy machine, requests wait for a core. They are not refused. */
const MAX_WAIT_MS = 10_000

type Row = 'without' | 'control' | 'admission'
const ORDER: readonly Row[] = ['without', 'control', 'admission']

const routes = [{ path: '/ping', get: ping() }]
const logger = createLogger({ destination: { write() {} } })

/**
 * Measures the CPU time of GET /ping, and the CPU time that the admission adds to a request. The noise of requests on
 * sockets is larger than the added time, so the second measurement has no sockets: short spans alternate between the
 * queue of the server and the admission, both in front of a handler that only counts. The row `control` compares the
 * queue of the server with itself, so it shows the error of the measurement.
 */
export async function measureAdmission({ quick }: { readonly quick: boolean }): Promise<Measurement[]> {
  const rounds = quick ? 5 : 40
  const measurements: Measurement[] = []
  await pin(process.pid, [SERVER_CPU])
  for (const connections of CONNECTIONS) {
    measurements.push({
      name: `admission, ${connections}`,
      title: `CPU time of GET /ping with ${connections} connection${connections === 1 ? '' : 's'}, and the time that the admission adds`,
      unit: 'µs',
      base: 'ping',
      rows: { ping: await measurePing(connections, rounds), ...(await measureAddition(connections, rounds)) },
    })
  }
  await pin(process.pid, listCores())
  return measurements
}

/** Returns the CPU time of a request in each span, in microseconds. */
async function measurePing(connections: number, rounds: number): Promise<number[]> {
  renderFieldsAtOnce(logger)
  let requests = 0
  const { port, stop } = await serve({
    routes,
    logger,
    admit: (app) => (request, response) => {
      requests++
      setImmediate(() => app(request, response))
    },
  })
  const seconds = WARM_UP_S + Math.ceil((rounds * SPAN_MS) / 1_000)
  const load = wrk(`http://127.0.0.1:${port}/ping`, { seconds: seconds + 2, connections })
  await setTimeout(WARM_UP_S * 1_000)
  const values: number[] = []
  for (let round = 0; round < rounds; round++) {
    requests = 0
    const before = process.cpuUsage()
    await setTimeout(SPAN_MS)
    values.push(cpuUs(before) / requests)
  }
  await load
  stop()
  return values
}

function cpuUs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** Returns the CPU time that each row adds to a request, in microseconds. */
async function measureAddition(perTurn: number, rounds: number) {
  let row: Row = 'without'
  let served = 0
  let resumeClock = () => {}
  // While the admission is off, the process must not pay for the clock of the admission.
  const clock = createTurnClock({
    eachTurn(callback) {
      function each(): void {
        if (row !== 'admission') return
        callback()
        setImmediate(each).unref()
      }
      resumeClock = () => void setImmediate(each).unref()
    },
  })
  const handler = () => void served++
  const queue = () => void setImmediate(handler)
  const { admit, stop } = createOverload({ handler, routes, maxWaitMs: MAX_WAIT_MS, logger, clock })
  const listeners: Record<Row, RequestListener> = { without: queue, control: queue, admission: admit }
  const response = { destroyed: false } as ServerResponse

  async function measureSpan(next: Row): Promise<number> {
    row = next
    served = 0
    if (row === 'admission') resumeClock()
    const listener = listeners[row]
    const before = process.cpuUsage()
    await new Promise<void>((resolve) => {
      function turn(): void {
        if (served >= REQUESTS) {
          resolve()
          return
        }
        for (let count = 0; count < perTurn; count++)
          listener({ method: 'GET', url: '/ping' } as IncomingMessage, response)
        setImmediate(turn)
      }
      turn()
    })
    return cpuUs(before) / REQUESTS
  }

  const additions: Record<'control' | 'admission', number[]> = { control: [], admission: [] }
  for (const each of ORDER) await measureSpan(each)
  for (let round = 0; round < rounds; round++) {
    const values = { without: 0, control: 0, admission: 0 }
    // The order alternates, so a trend affects every row.
    for (const each of round % 2 === 0 ? ORDER : ORDER.toReversed()) values[each] = await measureSpan(each)
    additions.control.push(values.control - values.without)
    additions.admission.push(values.admission - values.without)
  }
  stop()
  return additions
}
