import { createConnection } from 'node:net'
import { parseSlots, planSlots } from './haproxy-slots.ts'
import type { Sink } from './publisher.ts'

export interface HaproxyOptions {
  /** Path of the socket: `stats socket /run/haproxy/admin.sock level admin`. */
  readonly path: string
  readonly backend: string
  /** Longest exchange, in milliseconds. @default 3_000 */
  readonly timeoutMs?: number
}

/** Prefix of the names of the slots: `server-template slot 20 …`. */
const PREFIX = 'slot'

/** HAProxy reads a line of at most `tune.bufsize` bytes (16384). */
const COMMANDS_IN_LINE = 50

/** Largest response, in bytes. */
const MAX_BYTES = 64 * 1024 * 1024

/** Puts the endpoints into prepared servers of a backend, without a reload. */
export function createHaproxySink({ path, backend, timeoutMs = 3_000 }: HaproxyOptions): Sink {
  async function send(line: string): Promise<string> {
    try {
      return await exchange(path, line, timeoutMs)
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
    }
  }

  async function readSlots() {
    try {
      const slots = parseSlots(await send(`show servers state ${backend}`), PREFIX)
      if (slots.length === 0) throw new Error(`no server named ${PREFIX}1: add a server-template`)
      return slots
    } catch (error) {
      throw new Error(`HAProxy backend ${backend}: ${(error as Error).message}`, { cause: error })
    }
  }

  return {
    // A restart of HAProxy empties the slots.
    refreshMs: 500,
    async publish(endpoints) {
      const { commands, excess } = planSlots(backend, await readSlots(), endpoints)
      if (commands.length > 0) {
        let output = ''
        for (let i = 0; i < commands.length; i += COMMANDS_IN_LINE) {
          output += await send(commands.slice(i, i + COMMANDS_IN_LINE).join(';'))
        }
        // Read the slots again: HAProxy reports most failures only as text between the responses to other commands.
        const rest = planSlots(backend, await readSlots(), endpoints).commands
        const excerpt = output.trim().slice(0, 300).replace(/\s+/g, ' ')
        if (rest.length > 0) throw new Error(`HAProxy did not accept "${rest[0]}": ${excerpt}`)
      }
      if (excess.length > 0) {
        const list = excess.slice(0, 10).join(', ')
        throw new Error(`HAProxy backend ${backend} needs ${excess.length} more slots, for ${list}`)
      }
    },
  }
}

/**
 * Sends one line of commands to the admin socket and returns the whole response. HAProxy closes the connection after
 * it. https://docs.haproxy.org/3.2/management.html#9.3
 */
function exchange(path: string, line: string, timeoutMs: number): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const socket = createConnection(path)
  const timer = setTimeout(() => socket.destroy(new Error(`no response within ${timeoutMs} ms`)), timeoutMs)
  const chunks: Buffer[] = []
  let bytes = 0
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > MAX_BYTES) socket.destroy(new Error(`response of more than ${MAX_BYTES} bytes`))
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
