import { type JWTVerifyGetKey, jwtVerify } from 'jose'
import { CodedError, type ProblemCode } from '../problem/index.ts'
import type { Caller } from './authenticate.ts'

export interface BearerTokenOptions {
  /** The required claim `iss`. */
  readonly issuer: string
  /** The required claim `aud`. */
  readonly audience: string
  /** Finds the key that verifies a token, such as `issuerKeys`. */
  readonly keys: JWTVerifyGetKey
}

/** Asymmetric algorithms only: with a shared secret, every verifier could also issue tokens. */
const ASYMMETRIC = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]

/** Longest token, in characters. A longer token is rejected without being decoded. */
const MAX_LENGTH = 8_192

/** Longest subject: https://openid.net/specs/openid-connect-core-1_0.html#IDToken */
const MAX_SUBJECT = 255

/** Tolerated difference between the clocks of two machines, in seconds. */
const CLOCK_TOLERANCE_S = 5

/** Verifies a JWT and returns its subject. @throws CodedError invalid_token, expired_token or keys_unavailable */
export function bearerTokens({ keys, ...claims }: BearerTokenOptions): (token: string) => Promise<Caller> {
  const options = {
    ...claims,
    algorithms: ASYMMETRIC,
    requiredClaims: ['exp', 'sub'],
    clockTolerance: CLOCK_TOLERANCE_S,
  }
  return async function verify(token) {
    if (token.length > MAX_LENGTH) throw new CodedError('invalid_token')
    const { payload } = await jwtVerify(token, keys, options).catch((cause) => {
      throw new CodedError(findProblem(cause), { cause })
    })
    const { sub: subject, exp: expiresAt = 0 } = payload
    if (typeof subject !== 'string' || subject === '' || subject.length > MAX_SUBJECT) {
      throw new CodedError('invalid_token')
    }
    // The claim may have a fraction (RFC 7519 §2).
    return { subject, expiresAt: Math.floor(expiresAt) }
  }
}

function findProblem({ code }: { readonly code?: unknown }): ProblemCode {
  if (code === 'ERR_JWT_EXPIRED') return 'expired_token'
  const isTokenFault = typeof code === 'string' && /^ERR_(JWT|JWS|JOSE|JWKS_(NO|MULTIPLE)_MATCHING)_/.test(code)
  return isTokenFault ? 'invalid_token' : 'keys_unavailable'
}
