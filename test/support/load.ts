import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'

export interface LoadReport {
  readonly sent: number
  /** Answers with a status that was not wanted, and connections that broke with a request on them. */
  readonly failures: readonly string[]
  /** Answers that said `Connection: close`. */
  readonly closes: number
  /** Longest wait for an answer, in milliseconds. */
  readonly slowestMs: number
}

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** No request is begun after this; those that were are waited for. */
  readonly signal: AbortSignal
  readonly path?: string
  /** Of every request. @default every fourth is a POST */
  readonly method?: 'POST'
  /** Whether a client keeps its connection for the next request. @default true */
  readonly keepAlive?: boolean
  /** Pause of a client between two requests, in milliseconds. */
  readonly thinkMs?: number
}

/** Clients, each sending one request after the other, every fourth a POST. Whatever is sent must be answered. */
export async function startLoad({
  port,
  clients,
  signal,
  path = '/ping',
  method,
  keepAlive = true,
  thinkMs = 2,
}: LoadOptions): Promise<LoadReport> {
  let sent = 0
  let closes = 0
  let slowestMs = 0
  const failures: string[] = []

  function ask(agent: Agent): Promise<void> {
    return new Promise((resolve) => {
      const post = method === 'POST' || sent % 4 === 0
      const id = `load-${sent}`
      const headers = { 'x-request-id': id, ...(post && { 'content-type': 'application/json' }) }
      const startedAt = performance.now()
      const req = request({ host: '127.0.0.1', port, path, agent, headers, method: post ? 'POST' : 'GET' })
      req.once('response', (res) => {
        slowestMs = Math.max(slowestMs, performance.now() - startedAt)
        // There is no POST there, and it is the service that has to say so, after it has read the body.
        if (res.statusCode !== (post ? 405 : 200)) failures.push(`status ${res.statusCode}`)
        if (res.headers['x-request-id'] !== id) failures.push('answered by somebody else')
        if (res.headers.connection === 'close') closes++
        res.resume().once('end', resolve)
        res.once('error', (error) => {
          failures.push(`answer: ${error.message}`)
          resolve()
        })
      })
      req.once('error', (error: NodeJS.ErrnoException) => {
        failures.push(`${error.code} ${req.reusedSocket ? 'on a kept' : 'on a new'} connection`)
        resolve()
      })
      req.end(post ? JSON.stringify({ some: 'text' }) : undefined)
      sent++
    })
  }

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive, maxSockets: 1 })
    while (!signal.aborted) {
      await ask(agent)
      await setTimeout(thinkMs)
    }
    agent.destroy()
  }

  await Promise.all(Array.from({ length: clients }, client))
  return { sent, failures, closes, slowestMs }
}
