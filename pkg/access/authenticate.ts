import type { Request, RequestHandler, Response } from 'express'
import { type AccessErrorCode, accessError } from './errors.ts'

/** Who sends a request, and how that is known. */
export interface Auth {
  readonly subject: string
  readonly scheme: 'bearer' | 'session'
  /** When that ends, in Unix seconds. */
  readonly expiresAt: number
}

declare global {
  namespace Express {
    interface Request {
      /** Behind `authenticate` it is there. */
      auth?: Auth
    }
  }
}

export interface AuthenticateDeps {
  readonly verify: (token: string) => Promise<Omit<Auth, 'scheme'>>
  /** Undefined where a request has no session. */
  readonly session?: (req: Request, res: Response) => Promise<Omit<Auth, 'scheme'> | undefined>
}

/** https://datatracker.ietf.org/doc/html/rfc6750#section-3 */
const CHALLENGES: Partial<Record<AccessErrorCode, string>> = {
  unauthenticated: 'Bearer',
  invalid_token: 'Bearer error="invalid_token"',
  expired_token: 'Bearer error="invalid_token", error_description="expired"',
}

/** Lets nobody pass who cannot be told, by a bearer token or else by a session, and puts who it is on `req.auth`. */
export function authenticate({ verify, session }: AuthenticateDeps): RequestHandler {
  async function whoSends(req: Request, res: Response): Promise<Auth> {
    // Another scheme may be the proxy's, and is none of ours.
    const bearer = /^bearer(?: +(.*))?$/i.exec(req.headers.authorization ?? '')
    if (bearer) return { ...(await verify(bearer[1] ?? '')), scheme: 'bearer' }
    const known = await session?.(req, res)
    if (known) return { ...known, scheme: 'session' }
    throw accessError('unauthenticated')
  }

  return function authenticate(req, res, next) {
    whoSends(req, res).then(
      (auth) => {
        req.auth = auth
        // A cookie alone keeps no shared cache from an answer (RFC 9111 §3.5); a handler may allow more.
        res.set('cache-control', 'no-store')
        next()
      },
      (error) => {
        const challenge = CHALLENGES[error.code as AccessErrorCode]
        if (challenge) res.set('www-authenticate', challenge)
        next(error)
      },
    )
  }
}
