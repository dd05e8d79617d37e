import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { exportJWK, type JWTPayload, SignJWT } from 'jose'
import { listen } from './listen.ts'

export interface Issuer {
  /** Environment that makes a service trust the issuer. */
  readonly env: Readonly<Record<string, string>>
  /** Signs a token with the current key. It is valid for a minute unless `claims` has another `exp`. */
  token(claims?: JWTPayload): Promise<string>
  /** Headers of the downloads of the key so far. */
  readonly downloads: readonly IncomingHttpHeaders[]
  /** Replaces the key. */
  rotate(): void
  close(): Promise<void>
}

const AUTH_ISSUER = 'https://issuer.example.com/'
const AUTH_AUDIENCE = 'orders'

const newKey = () => ({ kid: randomUUID(), ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) })

/** Starts a server that publishes the key of the tokens. */
export async function startIssuer(): Promise<Issuer> {
  let key = newKey()
  const downloads: IncomingHttpHeaders[] = []
  const server = createServer(async (req, res) => {
    downloads.push(req.headers)
    res.end(JSON.stringify({ keys: [{ ...(await exportJWK(key.publicKey)), kid: key.kid, alg: 'ES256', use: 'sig' }] }))
  })
  const { url, stop } = await listen(server)
  return {
    env: { AUTH_JWKS_URL: `${url}/keys`, AUTH_ISSUER, AUTH_AUDIENCE },
    token: (claims) =>
      new SignJWT({ iss: AUTH_ISSUER, aud: AUTH_AUDIENCE, sub: 'user-1', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: key.kid })
        .setExpirationTime(claims?.exp ?? '1 minute')
        .sign(key.privateKey),
    downloads,
    rotate() {
      key = newKey()
    },
    close: stop,
  }
}
