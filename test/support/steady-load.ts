import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { type Method, send } from './send.ts'

export interface Target {
  readonly host: string
  readonly port: number
}

export interface SteadyLoadOptions {
  /** One proxy, or the instances themselves, as a name with several addresses gives them. */
  readonly targets: readonly Target[]
  readonly clients: number
  /** From one request of a client to its next, in milliseconds; later when an answer takes longer. */
  readonly intervalMs: number
  /** Taken in turn by each client. @default both */
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
  /** Answers that said `Connection: close`. */
  readonly closes: number
  /** New connections that were refused, where another address was there to go to. */
  readonly refused: number
  readonly maxMs: number
}

export interface SteadyLoad {
  readonly clients: number
  sent(): number
  /** Requests without an answer as yet. */
  inFlight(method?: Method): number
  stop(): Promise<SteadyReport>
}

/** Of one request, in milliseconds. */
const TIMEOUT_MS = 10_000

/**
 * Keep-alive clients at a steady rate, GET and POST in turn. A request fails when it does not get the
 * service's own answer, whoever is to blame. Nothing is sent twice: only a connection that was refused,
 * so that nothing was sent, makes a client try its next address.
 */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { targets, clients, intervalMs, methods = ['GET', 'POST'] } = options
  const sent = { GET: 0, POST: 0 }
  const failures: Failure[] = []
  const inFlight = { GET: 0, POST: 0 }
  let [closes, refused, maxMs, turn] = [0, 0, 0, 0]
  let stopping = false

  /** As a name with several addresses rotates, for all clients together. */
  const nextTarget = () => targets[turn++ % targets.length]!

  async function client(name: number): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    let target = nextTarget()
    // Spread over the interval, so that the rate is steady for all of them together.
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
