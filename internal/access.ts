import { authenticate } from '#pkg/access/authenticate.ts'
import { type BearerTokenOptions, bearerTokens } from '#pkg/access/bearer-tokens.ts'
import { issuerKeys } from '#pkg/access/issuer-keys.ts'
import type { SessionOptions } from '#pkg/access/sessions.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import { createFetch, type TracedFetchOptions } from '#pkg/tracing/fetch.ts'
import { session } from './handler/session.ts'
import type { SessionsDeps } from './store/sessions.ts'

export interface AccessDeps extends Omit<BearerTokenOptions, 'keys'>, Pick<TracedFetchOptions, 'tracer'> {
  /** URL of the issuer's JSON Web Key Set. */
  readonly jwksUrl: string
  /** The sessions of browsers. They need Redis. @default no sessions */
  readonly sessions?: Omit<SessionOptions, 'store'> | undefined
  readonly redis?: SessionsDeps['redis'] | undefined
  readonly service: string
  readonly context: Pick<RequestContext, 'outgoingHeaders'>
}

/** Composes the authentication of every operation that is not public, and its description in the OpenAPI document. */
export async function createAccess(deps: AccessDeps) {
  const { jwksUrl, sessions: options, redis, service, context, tracer, ...claims } = deps
  const fetch = createFetch({ outgoingHeaders: context.outgoingHeaders, tracer })
  const verify = bearerTokens({ ...claims, keys: issuerKeys({ url: jwksUrl, fetch }) })
  const sessions = options && redis && (await createStoredSessions(options, { redis, service }))
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
async function createStoredSessions(options: Omit<SessionOptions, 'store'>, deps: SessionsDeps) {
  const { createSessions } = await import('#pkg/access/sessions.ts')
  const { createSessionStore } = await import('./store/sessions.ts')
  return createSessions({ ...options, store: createSessionStore(deps) })
}
