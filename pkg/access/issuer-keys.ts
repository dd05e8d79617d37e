import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'

export interface IssuerKeysOptions {
  /** URL of the issuer's JSON Web Key Set. Redirects are not followed. */
  readonly url: string
  /** Longest download, in milliseconds. @default 2_000 */
  readonly timeoutMs?: number
  /** @default 262_144 */
  readonly maxBytes?: number
  /** Age after which the keys are downloaded again in the background, in milliseconds. @default 600_000 */
  readonly refreshMs?: number
  /** Shortest time between two downloads, in milliseconds: unknown keys and failures cause no more. @default 5_000 */
  readonly coolDownMs?: number
  /** Monotonic clock in milliseconds. */
  readonly now?: () => number
}

/**
 * Finds the key that verifies a token. Downloads the keys for the first token, for an unknown key, and periodically.
 * Known keys remain valid while the issuer is down; rejects with the failure of the download when a key is missing.
 */
export function issuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { refreshMs = 600_000, coolDownMs = 5_000, now = () => performance.now() } = options
  let known: ReturnType<typeof createLocalJWKSet> | undefined
  let knownSince = 0
  let downloadedAt = Number.NEGATIVE_INFINITY
  let download: Promise<ReturnType<typeof createLocalJWKSet>> | undefined

  async function downloadKeys() {
    known = createLocalJWKSet(await fetchKeys(options))
    knownSince = now()
    return known
  }

  /** Returns the current keys, or those of a download within the cool-down. */
  function latest() {
    if (download === undefined || now() - downloadedAt >= coolDownMs) {
      downloadedAt = now()
      download = downloadKeys()
    }
    return download
  }

  return async function key(header, token) {
    const keys = known ?? (await latest())
    // The known keys serve until the download has finished.
    if (now() - knownSince >= refreshMs) latest().catch(() => {})
    try {
      return await keys(header, token)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_JWKS_NO_MATCHING_KEY') throw error
      return (await latest())(header, token)
    }
  }
}

async function fetchKeys({ url, timeoutMs = 2_000, maxBytes = 262_144 }: IssuerKeysOptions): Promise<JSONWebKeySet> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const { status, body } = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`issuer keys: more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  if (status !== 200) throw new Error(`issuer keys: status ${status}`)
  return JSON.parse(Buffer.concat(chunks).toString())
}
