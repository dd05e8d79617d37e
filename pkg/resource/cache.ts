import { TimeoutError, withTimeout } from '../with-timeout.ts'
import type { Stored } from './stored.ts'

/** The part of a Redis client that a cache uses. */
export interface CacheClient {
  get(key: string): Promise<string | null>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

export interface CacheOptions {
  /** Returns the current client. Undefined: every read goes to the database. */
  readonly redis: (() => CacheClient) | undefined
  /** Prefix of each key. */
  readonly prefix: string
  /** Lifetime of a value, and thus its greatest age after a change that Redis has missed, in milliseconds. @default 60_000 */
  readonly ttlMs?: number
  /** Longest wait for one command, in milliseconds. @default 50 */
  readonly timeoutMs?: number
  /** Pause after a timeout before the next command, in milliseconds. @default 1_000 */
  readonly coolDownMs?: number
  readonly now?: () => number
}

export interface Cache<T extends Stored> {
  /** Returns the cached value, or loads it. Rejects only when `load` rejects. */
  through(id: string, load: () => Promise<T | undefined>): Promise<T | undefined>
  /** Stores a changed value. Never rejects. */
  put(value: T): Promise<void>
  /** Records that the value was deleted. Never rejects. */
  remove(id: string): Promise<void>
}

/** Keeps the newer version: a slow reader or writer cannot restore an older one. */
const PUT_NEWER = `
local held = string.match(redis.call('get', KEYS[1]) or '', '^%d+')
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('set', KEYS[1], ARGV[1] .. ' ' .. ARGV[2], 'px', ARGV[3])
return 1`

/** Version of a deleted value: newer than every other version. */
const REMOVED = Number.MAX_SAFE_INTEGER

/** @throws for text that PUT_NEWER did not write */
function parseEntry<T>(text: string | null): { readonly value: T | undefined } | undefined {
  if (text === null) return undefined
  const [, json = ''] = /^\d+ (.*)/s.exec(text) ?? []
  return { value: JSON.parse(json) ?? undefined }
}

/** Reads through Redis, and from the database alone while Redis fails. */
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
      // Other errors cost no time, so they need no pause.
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
