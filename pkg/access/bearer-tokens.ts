import { type JWTVerifyGetKey, jwtVerify } from 'jose'
import { CodedError } from '../problem/index.ts'
import type { AccessProblem } from './problems.ts'

export interface BearerTokenOptions {
  readonly issuer: string
  readonly audience: string
  readonly keys: JWTVerifyGetKey
  /** Tolerated difference between the clocks of two machines, in seconds. @default 5 */
  readonly clockToleranceS?: number
}

export interface Bearer {
  readonly subject: string
  /** Unix seconds. */
  readonly expiresAt: number
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

/** Verifies a JWT and returns its subject. @throws CodedError invalid_token, expired_token or keys_unavailable */
export function bearerTokens({ keys, clockToleranceS = 5, ...claims }: BearerTokenOptions) {
  return async function verify(token: string): Promise<Bearer> {
    if (token.length > MAX_LENGTH) throw new CodedError('invalid_token')
    const { payload } = await jwtVerify(token, keys, {
      ...claims,
      algorithms: ASYMMETRIC,
      requiredClaims: ['exp', 'sub'],
      clockTolerance: clockToleranceS,
    }).catch((cause) => {
      throw new CodedError(findProblem(cause), { cause })
    })
    const { sub: subject, exp: expiresAt = 0 } = payload
    if (typeof subject === 'string' && subject !== '' && subject.length <= MAX_SUBJECT) return { subject, expiresAt }
    throw new CodedError('invalid_token')
  }
}

function findProblem({ code }: { readonly code?: unknown }): AccessProblem {
  if (code === 'ERR_JWT_EXPIRED') return 'expired_token'
  const isJudged = typeof code === 'string' && /^ERR_(JWT|JWS|JOSE|JWKS_(NO|MULTIPLE)_MATCHING)_/.test(code)
  return isJudged ? 'invalid_token' : 'keys_unavailable'
}
