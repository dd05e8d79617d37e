import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'

export interface IssuerKeysOptions {
  /** Of the issuer's JSON Web Key Set. Not followed elsewhere. */
  readonly url: string
  /** For the whole answer, in milliseconds. @default 2_000 */
  readonly timeoutMs?: number
  /** @default 262_144 */
  readonly maxBytes?: number
  /** Keys older than this are asked for again, in milliseconds, so that one that was withdrawn ends. @default 600_000 */
  readonly refreshMs?: number
  /** Tokens with keys that nobody knows, and failures, cause one question in this time, in milliseconds. @default 5_000 */
  readonly coolDownMs?: number
  readonly now?: () => number
}

/**
 * Finds the key of a token. Asks the issuer with the first one, when a key is not known, and now and then. Keys that
 * are known stay so while the issuer cannot be reached; rejects with that failure when another one is needed.
 */
export function issuerKeys(options: IssuerKeysOptions): JWTVerifyGetKey {
  const { refreshMs = 600_000, coolDownMs = 5_000, now = Date.now } = options
  let known: ReturnType<typeof createLocalJWKSet> | undefined
  let knownSince = 0
  let askedAt = Number.NEGATIVE_INFINITY
  let asked: Promise<ReturnType<typeof createLocalJWKSet>> | undefined

  async function ask() {
    known = createLocalJWKSet(await download(options))
    knownSince = now()
    return known
  }

  /** What the issuer says, or said a moment ago. */
  function latest() {
    if (asked === undefined || now() - askedAt >= coolDownMs) {
      askedAt = now()
      asked = ask()
    }
    return asked
  }

  return async function key(header, token) {
    const keys = known ?? (await latest())
    // Those that are known are good enough until it has answered.
    if (now() - knownSince >= refreshMs) latest().catch(() => {})
    try {
      return await keys(header, token)
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'ERR_JWKS_NO_MATCHING_KEY') throw error
      return (await latest())(header, token)
    }
  }
}

async function download({ url, timeoutMs = 2_000, maxBytes = 262_144 }: IssuerKeysOptions): Promise<JSONWebKeySet> {
  const headers = { accept: 'application/jwk-set+json, application/json' }
  const { status, body } = await fetch(url, { headers, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of body ?? []) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new Error(`keys of the issuer: more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  if (status !== 200) throw new Error(`keys of the issuer: status ${status}`)
  return JSON.parse(Buffer.concat(chunks).toString())
}
