import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { type Method, send } from './send.ts'

export interface Target {
  readonly host: string
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

/** Timeout of one request, in milliseconds. */
const TIMEOUT_MS = 10_000

/**
 * Starts keep-alive clients that send GET and POST in turn at a steady rate. A request fails when the service itself
 * does not respond. A client sends each request once. It tries the next address only after a refused connection,
 * because the request was not sent.
 */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { targets, clients, intervalMs, methods = ['GET', 'POST'] } = options
  const sent = { GET: 0, POST: 0 }
  const failures: Failure[] = []
  const inFlight = { GET: 0, POST: 0 }
  let [closes, refused, maxMs, turn] = [0, 0, 0, 0]
  let stopping = false

  /** Returns the addresses in rotation, like the responses of a name server. */
  const nextTarget = () => targets[turn++ % targets.length]!

  async function client(name: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
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
      const ask = ({ host, port }: Target) => send(method, id, { host, port, agent, timeout: TIMEOUT_MS })
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

  const done = Promise.all(Array.from({ length: clients }, (_, name) => client(name)))
  return {
    clients,
    sent: () => sent.GET + sent.POST,
    inFlight: (method) => (method === undefined ? inFlight.GET + inFlight.POST : inFlight[method]),
    async stop() {
      stopping = true
      await done
      return { sent, failures, closes, refused, maxMs: Math.round(maxMs) }
    },
  }
}
