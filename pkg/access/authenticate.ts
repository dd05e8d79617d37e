import type { Request, RequestHandler, Response } from 'express'
import { CodedError } from '../problem/index.ts'
import type { AccessProblem } from './problems.ts'

/** The authenticated caller. */
export interface Auth {
  readonly subject: string
  readonly scheme: 'bearer' | 'session'
  /** End of the token or the session, in Unix seconds. */
  readonly expiresAt: number
}

declare global {
  namespace Express {
    interface Request {
      /** Set by `authenticate`. */
      auth?: Auth
    }
  }
}

export interface AuthenticateDeps {
  readonly verify: (token: string) => Promise<Omit<Auth, 'scheme'>>
  /** Resolves with undefined when the request has no session. */
  readonly session?: (req: Request, res: Response) => Promise<Omit<Auth, 'scheme'> | undefined>
}

/** https://datatracker.ietf.org/doc/html/rfc6750#section-3 */
const CHALLENGES: Partial<Record<AccessProblem, string>> = {
  unauthenticated: 'Bearer',
  invalid_token: 'Bearer error="invalid_token"',
  expired_token: 'Bearer error="invalid_token", error_description="expired"',
}

/**
 * Rejects requests that carry neither a valid bearer token nor a valid session, and puts the caller on `req.auth`.
 */
export function authenticate({ verify, session }: AuthenticateDeps): RequestHandler {
  async function findCaller(req: Request, res: Response): Promise<Auth> {
    // A proxy may use another scheme of the authorization header.
    const bearer = /^bearer(?: +(.*))?$/i.exec(req.headers.authorization ?? '')
    if (bearer) return { ...(await verify(bearer[1] ?? '')), scheme: 'bearer' }
    const known = await session?.(req, res)
    if (known) return { ...known, scheme: 'session' }
    throw new CodedError('unauthenticated')
  }

  return function authenticate(req, res, next) {
    findCaller(req, res).then(
      (auth) => {
        req.auth = auth
        // A cookie does not keep a shared cache from storing the response (RFC 9111 §3.5). A handler may allow more.
        res.set('cache-control', 'no-store')
        if (session) res.vary('cookie')
        next()
      },
      (error) => {
        const challenge = CHALLENGES[error.code as AccessProblem]
        if (challenge) res.set('www-authenticate', challenge)
        next(error)
      },
    )
  }
}
