import { authenticate } from '#pkg/access/authenticate.ts'
import { type BearerTokenOptions, bearerTokens } from '#pkg/access/bearer-tokens.ts'
import { type IssuerKeysOptions, issuerKeys } from '#pkg/access/issuer-keys.ts'
import type { SessionOptions, Sessions } from '#pkg/access/sessions.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import { session } from './handler/session.ts'
import type { SessionsDeps } from './store/sessions.ts'

export interface AccessOptions extends Omit<BearerTokenOptions, 'keys'> {
  /** URL of the issuer's JSON Web Key Set. */
  readonly jwksUrl: string
  readonly fetch?: IssuerKeysOptions['fetch']
  /** @default no sessions */
  readonly sessions?: Sessions
}

export type Access = ReturnType<typeof createAccess>

/** Composes the authentication of every operation that is not public, and its description in the OpenAPI document. */
export function createAccess({ jwksUrl: url, fetch, sessions, ...claims }: AccessOptions) {
  const verify = bearerTokens({ ...claims, keys: issuerKeys({ url, fetch }) })
  const guard: Guard = {
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
  }
  return {
    authenticate: authenticate({ verify, findSession: sessions?.find }),
    routes: sessions ? [session(sessions)] : [],
    guard,
  }
}

/** Creates the sessions of browsers, which are stored in Redis. */
export async function createSessions({ redis, service, ...options }: Omit<SessionOptions, 'store'> & SessionsDeps) {
  const { createSessions } = await import('#pkg/access/sessions.ts')
  const { createSessionStore } = await import('./store/sessions.ts')
  return createSessions({ ...options, store: createSessionStore({ redis, service }) })
}
