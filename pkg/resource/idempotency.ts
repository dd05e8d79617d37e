import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { withTimeout } from '../with-timeout.ts'

/** The part of a Redis client that idempotency uses. */
export interface IdempotencyClient {
  get(key: string): Promise<string | null>
  set(key: string, value: string, options: { NX: true; PX: number }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface IdempotencyOptions {
  /** Returns the current client. Undefined: every key fails with `idempotency_unavailable`. */
  readonly redis: (() => IdempotencyClient) | undefined
  /** Prefix of each key. */
  readonly prefix: string
  /** Lifetime of a lock whose process has died, in milliseconds; longer than any request takes. @default 30_000 */
  readonly lockMs?: number
  /** Lifetime of a stored response, in milliseconds. @default 86_400_000 */
  readonly keepMs?: number
  /** Longest wait for one command, in milliseconds. @default 500 */
  readonly timeoutMs?: number
}

export interface IdempotencyKey {
  /** Method, path and caller: each combination has its own keys. */
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
   * Runs once for each key and stores the response; a retry gets the stored response. A `run` that rejects stores no
   * response and must have undone its work. Without a key, `once` only runs.
   *
   * @throws CodedError `idempotency_key_reused`, `idempotency_conflict` or `idempotency_unavailable`, without running
   */
  once<T>(key: IdempotencyKey, run: () => Promise<Response<T>>): Promise<Response<T>>
}

export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .max(255)
    .regex(/^[\x21-\x7e]{1,255}$/, 'Invalid key: 1 to 255 visible ASCII characters')
    .describe('A retry with the same key and body returns the first response and has no further effect')
    .optional(),
})

export const IDEMPOTENCY_PROBLEMS = [
  'idempotency_key_reused',
  'idempotency_conflict',
  'idempotency_unavailable',
] as const

/** Replaces only our own lock: another request may hold the key after our lock has expired. */
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
      if (redis === undefined) throw new Error('REDIS_URL is not set')
      return await withTimeout(send(redis()), timeoutMs)
    } catch (cause) {
      throw new CodedError('idempotency_unavailable', { cause })
    }
  }

  /** Stores the response, or frees the key. Ignores errors, because the request itself has been processed. */
  async function replace(name: string, lock: string, entry?: Entry): Promise<void> {
    const values = [lock, entry === undefined ? '' : JSON.stringify(entry), String(keepMs)]
    await command((client) => client.eval(REPLACE, { keys: [name], arguments: values })).catch(() => {})
  }

  return {
    async once({ scope, key, body }, run) {
      if (key === undefined) return run()
      // The first key loads the module, not the start. The executable cannot import() a built-in module.
      const { hash, randomUUID } = process.getBuiltinModule('node:crypto')
      const name = `${prefix}${scope} ${key}`
      const fingerprint = hash('sha256', JSON.stringify(body) ?? '')
      const lock = JSON.stringify({ fingerprint, token: randomUUID() })

      const taken = await command((client) => client.set(name, lock, { NX: true, PX: lockMs })).catch((error) => {
        // The command may still arrive, so the lock is removed again.
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
