import { Agent } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { send } from './send.ts'

/** Pause of a client between two requests, in milliseconds. */
const THINK_MS = 2

export interface LoadReport {
  readonly sent: number
  /** Unexpected statuses, and connections that broke with a request in flight. */
  readonly failures: readonly string[]
  /** Responses with `Connection: close`. */
  readonly closes: number
  /** Longest time to a response, in milliseconds. */
  readonly slowestMs: number
}

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** Ends the load. The clients still wait for their responses. */
  readonly signal: AbortSignal
  /** The method of every request. @default GET, and POST for each fourth request */
  readonly method?: 'POST'
  /** Keeps the connection of a client for the next request. @default true */
  readonly keepAlive?: boolean
}

/** Starts clients that send their requests in sequence. Resolves when the signal has ended them. */
export async function startLoad({ port, clients, signal, method, keepAlive = true }: LoadOptions): Promise<LoadReport> {
  let sent = 0
  let closes = 0
  let slowestMs = 0
  const failures: string[] = []

  async function ask(agent: Agent): Promise<void> {
    const id = `load-${sent}`
    const startedAt = performance.now()
    const outcome = send(method ?? (sent % 4 === 0 ? 'POST' : 'GET'), id, { port, agent })
    sent++
    const { reason, close } = await outcome
    slowestMs = Math.max(slowestMs, performance.now() - startedAt)
    if (reason !== undefined) failures.push(reason)
    else if (close) closes++
  }

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    while (!signal.aborted) {
      await ask(agent)
      await setTimeout(THINK_MS)
    }
    agent.destroy()
  }

  await Promise.all(Array.from({ length: clients }, client))
  return { sent, failures, closes, slowestMs }
}
