import { Agent, request } from 'node:http'
import { setTimeout } from 'node:timers/promises'

export interface LoadReport {
  readonly sent: number
  /** Answers with a status that was not wanted, and connections that broke with a request on them. */
  readonly failures: readonly string[]
  /** Answers that said `Connection: close`. */
  readonly closes: number
}

export interface LoadOptions {
  readonly port: number
  readonly clients: number
  /** No request is begun after this; those that were are waited for. */
  readonly signal: AbortSignal
  readonly path?: string
  /** Pause of a client between two requests, in milliseconds. */
  readonly thinkMs?: number
}

/** Keep-alive clients, each asking one request after the other. Whatever is sent must be answered. */
export async function startLoad({
  port,
  clients,
  signal,
  path = '/ping',
  thinkMs = 2,
}: LoadOptions): Promise<LoadReport> {
  let sent = 0
  let closes = 0
  const failures: string[] = []

  function ask(agent: Agent): Promise<void> {
    return new Promise((resolve) => {
      const req = request({ host: '127.0.0.1', port, path, agent })
      req.once('response', (res) => {
        if (res.statusCode !== 200) failures.push(`status ${res.statusCode}`)
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
      req.end()
      sent++
    })
  }

  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (!signal.aborted) {
      await ask(agent)
      await setTimeout(thinkMs)
    }
    agent.destroy()
  }

  await Promise.all(Array.from({ length: clients }, client))
  return { sent, failures, closes }
}
