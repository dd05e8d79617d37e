import { TimeoutError, withTimeout } from '../with-timeout.ts'
import type { Stored } from './stored.ts'

/** What a cache needs of a Redis client. */
export interface CacheClient {
  get(key: string): Promise<string | null>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface CacheOptions {
  /** The client of now. Absent: there is no cache. */
  readonly redis: (() => CacheClient) | undefined
  /** Before each id. */
  readonly prefix: string
  /** How long a value is kept, and how old it can be at most after a change that Redis has missed. @default 60_000 */
  readonly ttlMs?: number
  /** The longest wait for one command. @default 50 */
  readonly timeoutMs?: number
  /** How long nobody waits again for a Redis that did not answer in time. @default 1_000 */
  readonly coolDownMs?: number
  readonly now?: () => number
}

export interface Cache<T extends Stored> {
  /** What is cached, else what `load` finds. Rejects only as `load` does. */
  through(id: string, load: () => Promise<T | undefined>): Promise<T | undefined>
  /** After a change. Never rejects. */
  put(value: T): Promise<void>
  /** After a removal. Never rejects. */
  remove(id: string): Promise<void>
}

/** A newer version wins, whoever is first: a slow reader cannot put an old one back, nor can a slow writer. */
const PUT_NEWER = `
local held = string.match(redis.call('get', KEYS[1]) or '', '^%d+')
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('set', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'px', ARGV[3])
return 1`

/** Of a thing that was removed: newer than any, and never used again. */
const REMOVED = Number.MAX_SAFE_INTEGER

/** @throws for what is not PUT_NEWER's, which then is a failure like any other */
function parseEntry<T>(text: string | null): { readonly value: T | undefined } | undefined {
  if (text === null) return undefined
  const [, json = ''] = /^\d+ (.*)/s.exec(text) ?? []
  return { value: JSON.parse(json) ?? undefined }
}

/** Reads through Redis and does without it when it fails. */
export function createCache<T extends Stored>({
  redis,
  prefix,
  ttlMs = 60_000,
  timeoutMs = 50,
  coolDownMs = 1_000,
  now = () => performance.now(),
}: CacheOptions): Cache<T> {
  let skippedUntil = Number.NEGATIVE_INFINITY

  async function attempt<R>(command: (client: CacheClient) => Promise<R>): Promise<R | undefined> {
    if (redis === undefined || now() < skippedUntil) return undefined
    try {
      return await withTimeout(command(redis()), timeoutMs)
    } catch (error) {
      // Any other failure costs no time.
      if (error instanceof TimeoutError) skippedUntil = now() + coolDownMs
      return undefined
    }
  }

  async function put(id: string, version: number, value: T | null): Promise<void> {
    const options = { keys: [prefix + id], arguments: [String(version), JSON.stringify(value), String(ttlMs)] }
    await attempt((client) => client.eval(PUT_NEWER, options))
  }

  return {
    async through(id, load) {
      const entry = await attempt(async (client) => parseEntry<T>(await client.get(prefix + id)))
      if (entry !== undefined) return entry.value
      const value = await load()
      if (value !== undefined) await put(id, value.version, value)
      return value
    },
    put: (value) => put(value.id, value.version, value),
    remove: (id) => put(id, REMOVED, null),
  }
}
