import type { Request, RequestHandler, Response } from 'express'
import { CodedError, type ProblemCode } from '../problem/index.ts'

/** The caller that a token or a session authenticates. */
export interface Caller {
  readonly subject: string
  /** End of the token or the session, in Unix seconds. */
  readonly expiresAt: number
}

interface Auth extends Caller {
  readonly scheme: 'bearer' | 'session'
}

declare global {
  namespace Express {
    interface Request {
      /** The authenticated caller. Set by `authenticate`. */
      auth?: Auth
    }
  }
}

export interface AuthenticateDeps {
  /** Resolves with the caller of a valid token. Rejects otherwise. */
  readonly verify: (token: string) => Promise<Caller>
  /** Resolves with undefined when the request has no session. @default no sessions */
  readonly findSession?: ((req: Request, res: Response) => Promise<Caller | undefined>) | undefined
}

/** https://datatracker.ietf.org/doc/html/rfc6750#section-3 */
const CHALLENGES: Partial<Record<ProblemCode, string>> = {
  unauthenticated: 'Bearer',
  invalid_token: 'Bearer error="invalid_token"',
  expired_token: 'Bearer error="invalid_token", error_description="expired"',
}

/** Rejects requests that carry neither a valid bearer token nor a valid session, and puts the caller on `req.auth`. */
export function authenticate({ verify, findSession }: AuthenticateDeps): RequestHandler {
  async function findCaller(req: Request, res: Response): Promise<Auth> {
    // Another scheme in the authorization header may belong to a proxy, so it is ignored.
    const bearer = /^bearer(?: +(.*))?$/i.exec(req.headers.authorization ?? '')
    if (bearer) return { ...(await verify(bearer[1] ?? '')), scheme: 'bearer' }
    const caller = await findSession?.(req, res)
    if (caller) return { ...caller, scheme: 'session' }
    throw new CodedError('unauthenticated')
  }

  return async function authenticate(req, res, next) {
    try {
      req.auth = await findCaller(req, res)
    } catch (error) {
      const challenge = CHALLENGES[(error as CodedError).code]
      if (challenge) res.set('www-authenticate', challenge)
      throw error
    }
    // A shared cache may store a response to a request with a cookie (RFC 9111 §3.5). A handler may permit more.
    res.set('cache-control', 'no-store')
    if (findSession) res.vary('cookie')
    next()
  }
}
