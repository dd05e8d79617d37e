import { createLocalJWKSet, type JWTVerifyGetKey } from 'jose'
import { readText } from '../read-text.ts'

export interface IssuerKeysOptions {
  /** URL of the issuer's JSON Web Key Set. Redirects are not followed. */
  readonly url: string
  /** Longest download, in milliseconds. @default 2_000 */
  readonly timeoutMs?: number
  /** @default the `fetch` of Node */
  readonly fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  /** Monotonic clock in milliseconds. @default performance.now */
  readonly now?: () => number
}

const MAX_BYTES = 262_144

/** Age after which the keys are downloaded again in the background, in milliseconds. */
const REFRESH_MS = 600_000

/**
 * Shortest time between two downloads, in milliseconds. It limits the downloads for unknown keys and after failures.
 */
const COOL_DOWN_MS = 5_000

type Keys = ReturnType<typeof createLocalJWKSet>

/**
 * Finds the key that verifies a token. Downloads the keys for the first token, for an unknown key, and periodically.
 * Known keys remain valid while the issuer is down; rejects with the failure of the download when a key is missing.
 */
export function issuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { url, timeoutMs = 2_000, fetch = globalThis.fetch, now = () => performance.now() } = options
  let known: Keys | undefined
  let knownSince = 0
  let downloadedAt = Number.NEGATIVE_INFINITY
  let endedAt = 0
  let download: Promise<Keys>

  async function downloadKeys(): Promise<Keys> {
    try {
      known = await fetchKeys(url, timeoutMs, fetch)
      knownSince = now()
      return known
    } finally {
      endedAt = now()
    }
  }

  /** Downloads the keys, or returns the result of the last download during the cool-down. */
  function downloadLatest(): Promise<Keys> {
    if (now() - downloadedAt >= COOL_DOWN_MS) {
      downloadedAt = now()
      download = downloadKeys()
    }
    return download
  }

  return async function key(header, token) {
    if (known !== undefined && now() - knownSince >= REFRESH_MS) {
      const isPaused = now() - endedAt >= 2 * REFRESH_MS
      const refreshed = downloadLatest().catch(() => {})
      // The download runs in the background, and the known keys remain in use. After a long time without a download,
      // the request waits, because the issuer may have withdrawn the known keys.
      if (isPaused) await refreshed
    }
    const keys = known ?? (await downloadLatest())
    try {
      return await keys(header, token)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_JWKS_NO_MATCHING_KEY') throw error
      return (await downloadLatest())(header, token)
    }
  }
}

async function fetchKeys(
  url: string,
  timeoutMs: number,
  fetch: NonNullable<IssuerKeysOptions['fetch']>,
): Promise<Keys> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const { status, body } = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  const text = await readText(body, MAX_BYTES)
  if (status !== 200) throw new Error(`issuer keys: status ${status}`)
  return createLocalJWKSet(JSON.parse(text))
}
