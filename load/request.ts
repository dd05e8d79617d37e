import { randomUUID } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { RequestTemplate } from './scenario.ts'

/** Values of the placeholders by name. */
export type Data = Readonly<Record<string, readonly (string | number)[]>>

export interface FilledRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
}

/** Replaces the placeholders of a request. Each placeholder gets a random value of its data set. */
export function fillRequest(
  { method, path, headers, body }: RequestTemplate,
  data: Data,
  index: number,
): FilledRequest {
  function find(name: string): string | number {
    if (name === 'index') return index
    if (name === 'uuid') return randomUUID()
    const values = data[name] ?? []
    const value = values[Math.floor(Math.random() * values.length)]
    if (value === undefined) throw new Error(`the data set ${name} is empty`)
    return value
  }
  const fill = (template: string, encode: (value: string) => string = (value) => value) =>
    template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => encode(String(find(name))))
  function fillValue(_key: string, value: unknown): unknown {
    if (typeof value !== 'string') return value
    const [, name] = /^\{\{(\w+)\}\}$/.exec(value) ?? []
    return name === undefined ? fill(value) : find(name)
  }
  return {
    method,
    path: fill(path, encodeURIComponent),
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)])),
    },
    body: body === undefined ? undefined : JSON.stringify(body, fillValue),
  }
}

const isSecure = (url: string) => url.startsWith('https:')

/** Creates an agent that keeps its connections. @param maxSockets maximum number of connections. Requests above it wait */
export function createAgent(url: string, maxSockets: number): http.Agent {
  const { Agent } = isSecure(url) ? https : http
  return new Agent({ keepAlive: true, maxSockets, maxFreeSockets: maxSockets })
}

export interface SendOptions {
  /** The address of the system. */
  readonly url: string
  /** From `createAgent` for the same address. */
  readonly agent: http.Agent
  /** When to give up: a time of `performance.now()`. */
  readonly deadline: number
  /** Largest body to keep. A larger body is the error `body too large`. @default discards the body of any size */
  readonly maxBytes?: number
}

export interface Outcome {
  /** The kind of the failure: a status from 400 on, `timeout`, or the code of a connection error. */
  readonly error?: string
  /** Empty without `maxBytes`. */
  readonly body: string
}

/** Sends one request. Never rejects. */
export function sendRequest({ method, path, headers, body }: FilledRequest, options: SendOptions): Promise<Outcome> {
  const { url, agent, deadline, maxBytes } = options
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const end = (error?: string) => {
      clearTimeout(timer)
      resolve({ ...(error !== undefined && { error }), body: Buffer.concat(chunks).toString() })
    }
    const { request } = isSecure(url) ? https : http
    const sent = request(new URL(path, url), { method, agent, headers }, (response) => {
      const { statusCode = 0 } = response
      response.on('data', (chunk: Buffer) => {
        if (maxBytes === undefined) return
        size += chunk.length
        if (size <= maxBytes) chunks.push(chunk)
        else sent.destroy(new Error('body too large'))
      })
      response.once('end', () => end(statusCode < 400 ? undefined : String(statusCode)))
      response.once('error', fail)
    })
    function fail(error: NodeJS.ErrnoException): void {
      end(error.code ?? error.message)
    }
    const timer = setTimeout(() => sent.destroy(new Error('timeout')), Math.max(0, deadline - performance.now()))
    sent.once('error', fail)
    sent.end(body)
  })
}
