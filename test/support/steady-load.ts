import { Agent, type RequestOptions } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { send } from './send.ts'

export type Method = 'GET' | 'POST'

export interface Target {
  /** @default the loopback address */
  readonly host?: string
  readonly port: number
}

export interface SteadyLoadOptions {
  /** The address of a proxy, or the addresses of the instances, like the addresses of one name. */
  readonly targets: readonly Target[]
  readonly clients: number
  /** Time between two requests of a client, in milliseconds. A slow response delays the next request. */
  readonly intervalMs: number
  /** Each client uses these methods in turn. @default both */
  readonly methods?: readonly Method[]
  /** Keeps the connection of a client for the next request. @default true */
  readonly keepAlive?: boolean
}

export interface Failure {
  readonly method: Method
  readonly id: string
  readonly reason: string
}

export interface SteadyReport {
  readonly sent: Readonly<Record<Method, number>>
  readonly failures: readonly Failure[]
  /** Responses with `Connection: close`, and broken connections. */
  readonly closes: number
  /** Refused connections that made a client try its next address. */
  readonly refused: number
  readonly maxMs: number
}

export interface SteadyLoad {
  readonly clients: number
  sent(): number
  /** Counts the requests that wait for a response. */
  inFlight(method?: Method): number
  stop(): Promise<SteadyReport>
}

const running = new Set<() => unknown>()
// A failed test leaves its load running. The clients would keep the worker of jest alive.
;(globalThis as { readonly afterEach?: (run: () => void) => void }).afterEach?.(() => {
  for (const stop of running) stop()
})

/** Timeout of one request, in milliseconds. A busy machine may delay a response for seconds. */
const TIMEOUT_MS = 25_000

/** The service has no endpoint for POST, so it responds with 405 after it has read the body. */
const STATUS: Readonly<Record<Method, number>> = { GET: 200, POST: 405 }

const BODY = JSON.stringify({ text: 'x'.repeat(200) })

/**
 * Sends one request for /ping with this request id. Never rejects. `reason` is the reason for a failure, and undefined
 * when the service itself has responded.
 */
export async function ping(method: Method, id: string, options: RequestOptions) {
  const { status, headers, error, isReused } = await send({
    ...{ path: '/ping', method, ...options },
    headers: { 'x-request-id': id, ...(method === 'POST' && { 'content-type': 'application/json' }) },
    ...(method === 'POST' && { body: BODY }),
  })
  function findReason(): string | undefined {
    if (error) return `${error.code ?? error.message} on a ${isReused ? 'kept' : 'new'} connection`
    if (status !== STATUS[method]) return `status ${status}`
    return headers['x-request-id'] === id ? undefined : 'a response to another request'
  }
  return {
    reason: findReason(),
    /** The connection cannot be used again: it broke, or the response has `Connection: close`. */
    close: error !== undefined || headers.connection === 'close',
    /** The request was not sent. */
    refused: error?.code === 'ECONNREFUSED',
  }
}

/**
 * Starts clients that send GET and POST in turn at a steady rate. A request fails when the service itself does not
 * respond. A client sends each request once. It tries the next address only after a refused connection, because the
 * request was not sent.
 */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { targets, clients, intervalMs, methods = ['GET', 'POST'], keepAlive = true } = options
  const sent = { GET: 0, POST: 0 }
  const failures: Failure[] = []
  const inFlight = { GET: 0, POST: 0 }
  let [closes, refused, maxMs, turn] = [0, 0, 0, 0]
  let stopping = false

  /** Returns the addresses in rotation, like the responses of a name server. */
  const nextTarget = () => targets[turn++ % targets.length]!

  async function client(name: number): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    let target = nextTarget()
    // Spread the clients over the interval, so that their total rate is steady.
    let due = performance.now() + (name / clients) * intervalMs
    for (let count = 0; ; count++) {
      await setTimeout(Math.max(0, due - performance.now()))
      if (stopping) break
      const method = methods[(name + count) % methods.length]!
      const id = `${name}-${count}`
      const startedAt = performance.now()
      sent[method]++
      inFlight[method]++
      const ask = ({ host, port }: Target) => ping(method, id, { host, port, agent, timeout: TIMEOUT_MS })
      let outcome = await ask(target)
      for (let tries = 1; outcome.refused && tries < targets.length; tries++) {
        refused++
        target = targets[(targets.indexOf(target) + 1) % targets.length]!
        outcome = await ask(target)
      }
      inFlight[method]--
      maxMs = Math.max(maxMs, performance.now() - startedAt)
      if (outcome.reason !== undefined) failures.push({ method, id, reason: outcome.reason })
      if (outcome.close) {
        closes++
        target = nextTarget()
      }
      due = Math.max(due + intervalMs, performance.now())
    }
    agent.destroy()
  }

  const end = () => {
    stopping = true
    running.delete(end)
  }
  running.add(end)
  const done = Promise.all(Array.from({ length: clients }, (_, name) => client(name)))
  return {
    clients,
    sent: () => sent.GET + sent.POST,
    inFlight: (method) => (method === undefined ? inFlight.GET + inFlight.POST : inFlight[method]),
    async stop() {
      end()
      await done
      return { sent, failures, closes, refused, maxMs: Math.round(maxMs) }
    },
  }
}

/** Describes a report in one line, with a further line for each kind of failure. */
export function describeReport({ sent, failures, closes, refused, maxMs }: SteadyReport): string {
  const reasons = Map.groupBy(failures, ({ method, reason }) => `${method} ${reason}`)
  return [
    `sent ${sent.GET} GET + ${sent.POST} POST, failed ${failures.length}, told to close ${closes}, refused elsewhere ${refused}, slowest ${maxMs} ms`,
    ...[...reasons].map(([reason, all]) => `    ${all.length} ${reason}`),
  ].join('\n')
}

/**
 * Runs three loads while `action` runs: both methods over kept connections, POST over kept connections, and POST over a
 * new connection for each request. Resolves with the number of requests of each load, and the failures of all loads.
 */
export async function underEachLoad(target: Target, action: () => Promise<unknown>) {
  const common = { targets: [target], clients: 4, intervalMs: 5 }
  const loads = [
    startSteadyLoad(common),
    startSteadyLoad({ ...common, methods: ['POST'] }),
    startSteadyLoad({ ...common, methods: ['POST'], keepAlive: false }),
  ]
  const stop = () => Promise.all(loads.map((load) => load.stop()))
  await action().finally(stop)
  const failures = (await stop()).flatMap((report) => report.failures)
  return { sent: loads.map((load) => load.sent()), failures }
}
