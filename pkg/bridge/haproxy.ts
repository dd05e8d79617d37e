import { parseSlots, planSlots } from './haproxy-slots.ts'
import { sendToHaproxy } from './haproxy-socket.ts'
import type { Sink } from './publisher.ts'

export interface HaproxyOptions {
  /** Path of the socket: `stats socket /run/haproxy/admin.sock level admin`. */
  readonly path: string
  readonly backend: string
  /** Beginning of the names of the slots: `server-template slot 20 …`. @default 'slot' */
  readonly prefix?: string
  /** Time between two checks of the slots, which a restart of HAProxy empties, in milliseconds. @default 500 */
  readonly refreshMs?: number
  /** Longest exchange, in milliseconds. @default 3_000 */
  readonly timeoutMs?: number
}

/** HAProxy reads a line of at most `tune.bufsize` bytes (16384). */
const COMMANDS_IN_LINE = 50

/** Puts the endpoints into prepared servers of a backend, without a reload. */
export function createHaproxySink(options: HaproxyOptions): Sink {
  const { path, backend, prefix = 'slot', refreshMs = 500, timeoutMs = 3_000 } = options

  async function send(line: string): Promise<string> {
    try {
      return await sendToHaproxy(line, { path, timeoutMs, maxBytes: 64 * 1024 * 1024 })
    } catch (error) {
      throw new Error(`${path}: ${(error as Error).message}`, { cause: error })
    }
  }

  async function readSlots() {
    try {
      const slots = parseSlots(await send(`show servers state ${backend}`), prefix)
      if (slots.length === 0) throw new Error(`no server named ${prefix}1: add a server-template`)
      return slots
    } catch (error) {
      throw new Error(`HAProxy backend ${backend}: ${(error as Error).message}`, { cause: error })
    }
  }

  return {
    refreshMs,
    async publish(endpoints) {
      const { commands, excess } = planSlots(backend, await readSlots(), endpoints)
      if (commands.length > 0) {
        let answer = ''
        for (let i = 0; i < commands.length; i += COMMANDS_IN_LINE) {
          answer += await send(commands.slice(i, i + COMMANDS_IN_LINE).join(';'))
        }
        // HAProxy reports most failures as text between other texts, so read the slots again.
        const rest = planSlots(backend, await readSlots(), endpoints).commands
        const reply = answer.trim().slice(0, 300).replace(/\s+/g, ' ')
        if (rest.length > 0) throw new Error(`HAProxy did not accept "${rest[0]}": ${reply}`)
      }
      if (excess.length > 0) {
        const list = excess.slice(0, 10).join(', ')
        throw new Error(`HAProxy backend ${backend} needs ${excess.length} more slots, for ${list}`)
      }
    },
  }
}
