import type { RequestHandler } from 'express'
import { bearerTokens } from '#pkg/access/bearer-tokens.ts'
import { ACCESS_ERRORS, authenticate } from '#pkg/access/index.ts'
import { issuerKeys } from '#pkg/access/issuer-keys.ts'
import type { SessionOptions } from '#pkg/access/sessions.ts'
import type { HttpErrorTable, Route } from '#pkg/web/index.ts'
import type { Guard } from '#pkg/web/openapi.ts'
import { session } from './handler/session.ts'
import type { Redis } from './store/redis.ts'

export interface AccessOptions {
  readonly issuer: string
  readonly audience: string
  /** Where the keys of the issuer are. */
  readonly jwksUrl: string
  /** Unset: there are none. */
  readonly sessions?: Omit<SessionOptions, 'store'> & { readonly redis: Redis; readonly service: string }
}

/** Who may ask for what is not open to everyone. */
export interface Access {
  readonly authenticate: RequestHandler
  readonly routes: readonly Route[]
  readonly errors: HttpErrorTable
  /** For the document of the service. */
  readonly guard: Guard
}

export async function createAccess({ jwksUrl: url, sessions: options, ...claims }: AccessOptions): Promise<Access> {
  const sessions = options && (await createSessionsIn(options))
  const verify = bearerTokens({ ...claims, keys: issuerKeys({ url }) })
  return {
    authenticate: authenticate({ verify, ...(sessions && { session: sessions.find }) }),
    routes: sessions ? [session({ sessions })] : [],
    errors: ACCESS_ERRORS,
    guard: {
      under: '/v1/',
      schemes: {
        bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        ...(sessions && { session: { type: 'apiKey', in: 'cookie', name: sessions.cookieName } }),
      },
      problems: [
        ...['unauthenticated', 'invalid_token', 'expired_token', 'keys_unavailable'],
        ...(sessions ? ['cross_site_request', 'sessions_unavailable'] : []),
      ],
    },
  }
}

async function createSessionsIn({ redis, service, ...options }: NonNullable<AccessOptions['sessions']>) {
  const [{ createSessions }, { sessionsIn }] = await Promise.all([
    import('#pkg/access/sessions.ts'),
    import('./store/sessions.ts'),
  ])
  return createSessions({ ...options, store: sessionsIn({ redis, service }) })
}
