import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { withTimeout } from '../with-timeout.ts'

/** What this needs of a Redis client. */
export interface IdempotencyClient {
  get(key: string): Promise<string | null>
  set(key: string, value: string, options: { NX: true; PX: number }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface IdempotencyOptions {
  /** The client of now. Absent: no key can be honoured. */
  readonly redis: (() => IdempotencyClient) | undefined
  /** Before each key. */
  readonly prefix: string
  /** Longer than any request may take: one whose process has died is not in the way for longer. @default 30_000 */
  readonly lockMs?: number
  /** How long an answer is kept. @default 86_400_000 */
  readonly keepMs?: number
  /** The longest wait for one command. @default 500 */
  readonly timeoutMs?: number
}

/** Of a request. */
export interface IdempotencyKey {
  /** What has keys of its own: method and path. */
  readonly scope: string
  readonly key: string | undefined
  readonly body: unknown
}

export interface Response<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: T
}

export interface Idempotency {
  /**
   * The answer of `run`, which is kept, or the one that was kept for this key. A `run` that rejects
   * keeps nothing and may be tried again: what it has begun must be undone by then. Without a key it is just `run`.
   *
   * @throws CodedError `idempotency_key_reused`, `idempotency_conflict` or `idempotency_unavailable`, and nothing has run
   */
  once<T>(key: IdempotencyKey, run: () => Promise<Response<T>>): Promise<Response<T>>
}

export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'Invalid key: 1 to 255 visible ASCII characters')
    .describe('A retry with the same key and body returns the first response and has no further effect')
    .optional(),
})

export const IDEMPOTENCY_PROBLEMS = ['idempotency_key_reused', 'idempotency_conflict', 'idempotency_unavailable'] as const

/** Only while it is still the same: a lock that has run out may be another's by now. */
const REPLACE = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then return redis.call('del', KEYS[1]) end
redis.call('set', KEYS[1], ARGV[2], 'px', ARGV[3])
return 1`

interface Entry {
  readonly fingerprint: string
  readonly response?: Response<never>
}

export function createIdempotency({
  redis,
  prefix,
  lockMs = 30_000,
  keepMs = 86_400_000,
  timeoutMs = 500,
}: IdempotencyOptions): Idempotency {
  async function command<R>(send: (client: IdempotencyClient) => Promise<R>): Promise<R> {
    try {
      if (redis === undefined) throw new Error('there is no Redis')
      return await withTimeout(send(redis()), timeoutMs)
    } catch (cause) {
      throw new CodedError('idempotency_unavailable', { cause })
    }
  }

  /** Without an answer the key is free again. What fails here is not worth the request, which is over. */
  async function replace(name: string, lock: string, entry?: Entry): Promise<void> {
    const values = [lock, entry === undefined ? '' : JSON.stringify(entry), String(keepMs)]
    await command((client) => client.eval(REPLACE, { keys: [name], arguments: values })).catch(() => {})
  }

  return {
    async once({ scope, key, body }, run) {
      if (key === undefined) return run()
      // Loaded by the first key, not by a start; the executable cannot import what is Node's own.
      const { hash, randomUUID } = process.getBuiltinModule('node:crypto')
      const name = `${prefix}${scope} ${key}`
      const fingerprint = hash('sha256', JSON.stringify(body) ?? '')
      const lock = JSON.stringify({ fingerprint, token: randomUUID() })

      const taken = await command((client) => client.set(name, lock, { NX: true, PX: lockMs })).catch((error) => {
        // It may have been taken all the same, by a command that comes through late.
        void replace(name, lock)
        throw error
      })
      if (taken === null) {
        const entry: Partial<Entry> = await command(async (client) => JSON.parse((await client.get(name)) ?? '{}'))
        if (entry.fingerprint !== undefined && entry.fingerprint !== fingerprint) {
          throw new CodedError('idempotency_key_reused')
        }
        if (entry.response === undefined) throw new CodedError('idempotency_conflict')
        return entry.response
      }
      try {
        const response = await run()
        await replace(name, lock, { fingerprint, response: response as Response<never> })
        return response
      } catch (error) {
        await replace(name, lock)
        throw error
      }
    },
  }
}
