import type { RequestHandler } from 'express'
import { bearerTokens } from '#pkg/access/bearer-tokens.ts'
import { authenticate } from '#pkg/access/index.ts'
import { issuerKeys } from '#pkg/access/issuer-keys.ts'
import type { Sessions } from '#pkg/access/sessions.ts'
import type { Route } from '#pkg/operation/index.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import { session } from './handler/session.ts'

export interface AccessOptions {
  readonly issuer: string
  readonly audience: string
  /** URL of the issuer's JSON Web Key Set. */
  readonly jwksUrl: string
  /** @default no sessions */
  readonly sessions?: Sessions
}

/** Authentication of every operation that is not public. */
export interface Access {
  readonly authenticate: RequestHandler
  readonly routes: readonly Route[]
  /** The authentication in the OpenAPI document. */
  readonly guard: Guard
}

export function createAccess({ jwksUrl: url, sessions, ...claims }: AccessOptions): Access {
  const verify = bearerTokens({ ...claims, keys: issuerKeys({ url }) })
  return {
    authenticate: authenticate({ verify, ...(sessions && { session: sessions.find }) }),
    routes: sessions ? [session({ sessions })] : [],
    guard: {
      schemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A JSON Web Token of the issuer, verified according to RFC8725.',
        },
        ...(sessions && { session: { type: 'apiKey', in: 'cookie', name: sessions.cookieName } }),
      },
      problems: [
        ...(['unauthenticated', 'invalid_token', 'expired_token', 'keys_unavailable'] as const),
        ...(sessions ? (['cross_site_request', 'sessions_unavailable'] as const) : []),
      ],
    },
  }
}
