import { createConnection } from 'node:net'

export interface HaproxySocketOptions {
  /** Path of the admin socket. */
  readonly path: string
  /** Longest exchange, in milliseconds. */
  readonly timeoutMs: number
  /** Largest response, in bytes. */
  readonly maxBytes: number
}

/**
 * Sends one line of commands to the admin socket and returns the whole response. HAProxy closes the connection after
 * it. https://docs.haproxy.org/3.2/management.html#9.3
 */
export function sendToHaproxy(line: string, { path, timeoutMs, maxBytes }: HaproxySocketOptions): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = createConnection(path)
  const timer = setTimeout(() => socket.destroy(new Error(`no response within ${timeoutMs} ms`)), timeoutMs)
  const chunks: Buffer[] = []
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxBytes) socket.destroy(new Error(`response of more than ${maxBytes} bytes`))
  })
  socket.once('error', reject)
  socket.once('end', () => resolve(Buffer.concat(chunks).toString()))
  socket.once('close', () => {
    clearTimeout(timer)
    reject(new Error('connection closed before the response'))
  })
  socket.write(`${line}\n`)
  return promise
}
