import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { createSweep } from './sweep.ts'

/** The stored entry of a request whose transaction has committed. */
export interface StoredKey {
  readonly fingerprint: string
  /** A `Response` as JSON. */
  readonly response: string
}

/** The table of the keys. An `Executor` runs queries: it is the database or one of its transactions. */
export interface IdempotencyKeys<Executor> {
  /** Runs `work` in a transaction. Commits when `work` resolves; otherwise rolls back and rejects with its error. */
  transaction<T>(work: (transaction: Executor) => Promise<T>): Promise<T>
  /**
   * Adds the key and resolves with undefined. When the key exists, resolves with its entry. While another transaction
   * holds the key, `claim` waits for the end of that transaction.
   *
   * @throws CodedError `idempotency_conflict` when that transaction does not end in time
   */
  claim(transaction: Executor, id: string, fingerprint: string): Promise<StoredKey | undefined>
  /** Stores the response with a key that the same transaction has claimed. */
  complete(transaction: Executor, id: string, response: string): Promise<void>
  /** Deletes at most `limit` keys that are older than `keepMs`. Resolves with their number. */
  removeExpired(expired: { readonly keepMs: number; readonly limit: number }): Promise<number>
}

export interface IdempotencyOptions<Executor> {
  readonly keys: IdempotencyKeys<Executor>
  /** Runs the queries of requests without a key. */
  readonly db: Executor
  /** Shortest lifetime of a key, in milliseconds. @default 86_400_000 */
  readonly keepMs?: number
  /** Average time between two deletions of expired keys by this process, in milliseconds. @default 60_000 */
  readonly sweepMs?: number
  /** Keys that one statement deletes. @default 500 */
  readonly sweepLimit?: number
  /** Largest stored response, as JSON. @default 1_048_576 */
  readonly maxBytes?: number
  /** Called when expired keys could not be deleted. The next deletion tries again. */
  readonly onError?: (error: unknown) => void
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

export interface IdempotencyKey {
  /** Method, path and caller: each combination has its own keys. */
  readonly scope: string
  readonly key: string | undefined
  /** The body as the client sent it: a schema may add other defaults in the next version of the service. */
  readonly body: unknown
}

export interface Response<T> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: T
}

export interface Idempotency<Service> {
  /**
   * Calls `run` with a service that is bound to a transaction, and commits its writes together with the key and the
   * response. A retry gets that response. When `run` rejects, the transaction leaves neither writes nor key. Without a
   * key there is no transaction: `run` gets the service that is bound to the database.
   *
   * @throws CodedError `idempotency_key_reused` or `idempotency_conflict`, without a call of `run`
   */
  once<T>(key: IdempotencyKey, run: (service: Service) => Promise<Response<T>>): Promise<Response<T>>
}

/**
 * Adds idempotency to one service. `bind` returns the service with its queries bound to the database or to a
 * transaction. It is called for each request with a key, so it must be cheap.
 */
export type BindIdempotency<Executor> = <Service>(bind: (executor: Executor) => Service) => Idempotency<Service>

export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .max(255)
    .regex(/^[\x21-\x7e]{1,255}$/, 'Invalid key: 1 to 255 visible ASCII characters')
    .describe('A retry with the same key and body returns the first response and has no further effect')
    .optional(),
})

export const IDEMPOTENCY_PROBLEMS = ['idempotency_key_reused', 'idempotency_conflict'] as const

/** A replacer of JSON.stringify. A client may write the fields of a retry in another order. */
const sortFields = (_name: string, value: unknown) =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value

/**
 * Hashes a JSON value. Loads the module for the first key to keep the start fast. The executable cannot import() a
 * built-in module.
 */
export const sha256 = (value: unknown) =>
  process.getBuiltinModule('node:crypto').hash('sha256', JSON.stringify(value, sortFields) ?? '', 'base64url')

export function createIdempotency<Executor>({
  keys,
  db,
  keepMs = 86_400_000,
  sweepMs = 60_000,
  sweepLimit = 500,
  maxBytes = 1_048_576,
  onError = () => {},
  now = () => performance.now(),
}: IdempotencyOptions<Executor>): BindIdempotency<Executor> {
  const sweep = createSweep({
    remove: () => keys.removeExpired({ keepMs, limit: sweepLimit }),
    limit: sweepLimit,
    intervalMs: sweepMs,
    onError,
    now,
  })

  function serialize(response: Response<unknown>): string {
    const text = JSON.stringify(response)
    const bytes = Buffer.byteLength(text)
    if (bytes > maxBytes)
      throw new Error(`a response of ${bytes} bytes exceeds the ${maxBytes} bytes that a key may store`)
    return text
  }

  return function bindIdempotency<Service>(bind: (executor: Executor) => Service): Idempotency<Service> {
    const unkeyed = bind(db)
    return {
      async once({ scope, key, body }, run) {
        if (key === undefined) return run(unkeyed)
        // Hashes have a fixed length, and keep the names of callers and the bodies of requests out of the table.
        const id = sha256([scope, key])
        const fingerprint = sha256(body)
        const result = await keys.transaction(async (transaction) => {
          const stored = await keys.claim(transaction, id, fingerprint)
          if (stored !== undefined) {
            if (stored.fingerprint !== fingerprint) throw new CodedError('idempotency_key_reused')
            return JSON.parse(stored.response)
          }
          const response = await run(bind(transaction))
          await keys.complete(transaction, id, serialize(response))
          return response
        })
        sweep()
        return result
      },
    }
  }
}
