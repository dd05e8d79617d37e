import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'

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
  readonly timeoutMs?: number
}

export type Method = 'GET' | 'POST'

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
  sent(): number
  /** Requests without an answer as yet. */
  inFlight(method?: Method): number
  stop(): Promise<SteadyReport>
}

/** There is no POST endpoint: the service's own 405, to the id that was sent, is its answer. */
const STATUS: Readonly<Record<Method, number>> = { GET: 200, POST: 405 }

const BODY = JSON.stringify({ text: 'x'.repeat(200) })

/**
 * Keep-alive clients at a steady rate, GET and POST in turn. A request fails when it does not get the
 * service's own answer, whoever is to blame. Nothing is sent twice: only a connection that was refused,
 * so that nothing was sent, makes a client try its next address.
 */
export function startSteadyLoad(options: SteadyLoadOptions): SteadyLoad {
  const { targets, clients, intervalMs, methods = ['GET', 'POST'], timeoutMs = 10_000 } = options
  const sent = { GET: 0, POST: 0 }
  const failures: Failure[] = []
  const inFlight = { GET: 0, POST: 0 }
  let [closes, refused, maxMs, turn] = [0, 0, 0, 0]
  let stopping = false

  /** As a name with several addresses rotates, for all clients together. */
  const nextTarget = () => targets[turn++ % targets.length]!

  interface Outcome {
    readonly reason?: string
    readonly close: boolean
    readonly refused?: boolean
  }

  function ask(agent: Agent, { host, port }: Target, method: Method, id: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const headers = {
        'x-request-id': id,
        ...(method === 'POST' && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(BODY) }),
      }
      const req = request({ host, port, path: '/ping', method, agent, headers, timeout: timeoutMs })
      req.once('response', (res) => {
        const { statusCode, headers } = res
        const own = statusCode === STATUS[method] && headers['x-request-id'] === id
        const close = headers.connection === 'close'
        res.once('error', ({ message }) => resolve({ reason: `broken answer: ${message}`, close: true }))
        res.resume().once('end', () => resolve({ close, ...(!own && { reason: `status ${statusCode}` }) }))
      })
      req.once('timeout', () => req.destroy(new Error('timeout')))
      req.once('error', ({ code, message }: NodeJS.ErrnoException) => {
        const reason = `${code ?? message} on a ${req.reusedSocket ? 'kept' : 'new'} connection`
        resolve({ reason, close: true, refused: code === 'ECONNREFUSED' })
      })
      req.end(method === 'POST' ? BODY : undefined)
    })
  }

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
      let outcome = await ask(agent, target, method, id)
      for (let tries = 1; outcome.refused && tries < targets.length; tries++) {
        refused++
        target = targets[(targets.indexOf(target) + 1) % targets.length]!
        outcome = await ask(agent, target, method, id)
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
    sent: () => sent.GET + sent.POST,
    inFlight: (method) => (method === undefined ? inFlight.GET + inFlight.POST : inFlight[method]),
    async stop() {
      stopping = true
      await done
      return { sent, failures, closes, refused, maxMs: Math.round(maxMs) }
    },
  }
}

/** Every client waits for an answer, and not just for a moment: one instance holds them all. */
export function allWaiting(load: SteadyLoad, clients: number): () => boolean {
  let sent = -1
  return () => {
    const still = load.sent() === sent && load.inFlight() === clients
    sent = load.sent()
    return still
  }
}
