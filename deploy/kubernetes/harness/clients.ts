import { randomUUID } from 'node:crypto'
import { Agent, type RequestOptions } from 'node:http'
import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import { type Method, ping } from '../../../test/support/steady-load.ts'
import type { Endpoints } from './endpoints.ts'

export interface ClientsReport {
  readonly sent: number
  readonly failures: readonly string[]
}

/** Disposing stops the clients too. */
export interface Clients extends AsyncDisposable {
  /** Returns the number of requests that have failed so far. */
  failed(): number
  /** Stops the clients. Resolves when each client has received its last response. */
  stop(): Promise<ClientsReport>
}

export interface ClientsOptions {
  readonly endpoints: Pick<Endpoints, 'pick'>
  /** The number of clients of each kind. @default 8 */
  readonly clients?: number
  /** Pause of a client between two requests, in milliseconds. @default 40 */
  readonly thinkMs?: number
}

/** Connects through a Service, which chooses the endpoint when a connection opens. */
class ServiceAgent extends Agent {
  readonly #endpoints: Pick<Endpoints, 'pick'>

  constructor(endpoints: Pick<Endpoints, 'pick'>) {
    super({ keepAlive: true, maxSockets: 1 })
    this.#endpoints = endpoints
  }

  override createConnection() {
    return connect(this.#endpoints.pick()!, '127.0.0.1')
  }
}

/**
 * Half of the clients connect to the Service. Half use an ingress, which keeps connections to each endpoint and chooses
 * an endpoint for each request. Every client sends GET and POST in turn, and never sends a request twice.
 */
export function startClients({ endpoints, clients = 8, thinkMs = 40 }: ClientsOptions): Clients {
  const stopped = new AbortController()
  const failures: string[] = []
  const agents: Agent[] = []
  let sent = 0

  async function ask(method: Method, options: RequestOptions): Promise<void> {
    sent++
    const { reason } = await ping(method, randomUUID(), options)
    if (reason !== undefined) failures.push(`${method} ${reason}`)
  }

  async function client(target: () => RequestOptions): Promise<void> {
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      if (endpoints.pick() === undefined) failures.push('no endpoint')
      else await ask(turn % 2 === 0 ? 'GET' : 'POST', target())
      await setTimeout(thinkMs, undefined, { signal: stopped.signal }).catch(() => {})
    }
  }

  function track(agent: Agent): Agent {
    agents.push(agent)
    return agent
  }

  const ingress = track(new Agent({ keepAlive: true }))
  const all = Array.from({ length: clients }, () => {
    const agent = track(new ServiceAgent(endpoints))
    return [client(() => ({ agent })), client(() => ({ agent: ingress, port: endpoints.pick()! }))]
  })

  async function stop(): Promise<ClientsReport> {
    stopped.abort()
    await Promise.all(all.flat())
    for (const agent of agents) agent.destroy()
    return { sent, failures }
  }

  return { failed: () => failures.length, stop, [Symbol.asyncDispose]: async () => void (await stop()) }
}
