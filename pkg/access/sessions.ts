import { promisify } from 'node:util'
import type { Request, Response } from 'express'
import session, { type SessionData, Store } from 'express-session'
import { CodedError } from '../problem/index.ts'
import type { Caller } from './authenticate.ts'

declare module 'express-session' {
  interface SessionData {
    subject: string
    /** Unix milliseconds. */
    expiresAt: number
  }
}

/** Storage of the sessions. Every method rejects promptly when the store is unavailable. */
export interface SessionStore {
  /** Resolves with null when the session does not exist. */
  get(id: string): Promise<string | null>
  /** Stores the session for `ttlMs` milliseconds. */
  set(id: string, content: string, ttlMs: number): Promise<unknown>
  delete(id: string): Promise<unknown>
}

export interface SessionOptions {
  readonly store: SessionStore
  /** Secrets of the cookie signature. The first secret signs, and every secret verifies. */
  readonly secrets: readonly string[]
  /** Lifetime of a session, in milliseconds. Requests do not extend it. */
  readonly ttlMs: number
  /** Restricts the cookie to TLS connections. Set it to false in development only. */
  readonly secure: boolean
  /** Other origins whose pages may change data. @default none */
  readonly origins?: readonly string[]
  /** Wall clock in Unix milliseconds. @default Date.now */
  readonly now?: () => number
}

/** Requests and responses with any body and any parameters. */
type AnyRequest = Request<unknown, never, unknown, unknown>
type AnyResponse = Response<never>

export type Sessions = ReturnType<typeof createSessions>

export function createSessions({ store, secrets, ttlMs, secure, origins = [], now = Date.now }: SessionOptions) {
  // The prefix makes browsers accept the cookie from this host over TLS only, so a sibling domain cannot set it.
  const cookieName = secure ? '__Host-session' : 'session'
  const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const
  const middleware = session({
    name: cookieName,
    secret: [...secrets],
    cookie: { ...attributes, maxAge: ttlMs },
    store: new SessionStoreAdapter(store, now),
    rolling: false,
    resave: false,
    saveUninitialized: false,
  })
  const load = promisify<AnyRequest, AnyResponse, void>(middleware as never)

  const describe = ({ subject = '', expiresAt = 0 }: Partial<SessionData>): Caller => ({
    subject,
    expiresAt: Math.floor(expiresAt / 1000),
  })

  return {
    cookieName,
    /** Returns the session of the cookie, if any. @throws CodedError sessions_unavailable or cross_site_request */
    async find(req: Request, res: Response): Promise<Caller | undefined> {
      if (!req.headers.cookie?.includes(`${cookieName}=`)) return undefined
      if (!isOwnSite(req, origins)) throw new CodedError('cross_site_request')
      await load(req, res)
      return req.session.subject === undefined ? undefined : describe(req.session)
    },
    /**
     * Starts a session under a new id and ends the previous session.
     *
     * @throws CodedError sessions_unavailable or insecure_connection
     */
    async start(req: AnyRequest, res: AnyResponse, subject: string): Promise<Caller> {
      if (secure && !req.secure) throw new CodedError('insecure_connection')
      await load(req, res)
      try {
        await promisify(req.session.regenerate).call(req.session)
        Object.assign(req.session, { subject, expiresAt: now() + ttlMs })
        await promisify(req.session.save).call(req.session)
        return describe(req.session)
      } catch (error) {
        // Otherwise express-session would set the cookie on the error response and save the session again.
        Reflect.deleteProperty(req, 'session')
        throw error
      }
    },
    /** Ends the current session. @throws CodedError sessions_unavailable */
    async end(req: AnyRequest, res: AnyResponse): Promise<void> {
      await load(req, res)
      await promisify(req.session.destroy).call(req.session)
      res.clearCookie(cookieName, attributes)
    },
  }
}

type Done<T> = (error: unknown, result?: T) => void

/** Adapts the store to express-session. It has no `touch`, so requests do not extend a session. */
class SessionStoreAdapter extends Store {
  readonly #store: SessionStore
  readonly #now: () => number

  constructor(store: SessionStore, now: () => number) {
    super()
    this.#store = store
    this.#now = now
  }

  override get(id: string, done: Done<SessionData | null>): void {
    const find = async () => {
      const found = JSON.parse((await this.#store.get(id)) ?? 'null') as SessionData | null
      return found !== null && found.expiresAt > this.#now() ? found : null
    }
    this.#settle(find(), done)
  }

  override set(id: string, data: SessionData, done: Done<unknown> = () => {}): void {
    this.#settle(this.#store.set(id, JSON.stringify(data), data.expiresAt - this.#now()), done)
  }

  override destroy(id: string, done: Done<unknown> = () => {}): void {
    this.#settle(this.#store.delete(id), done)
  }

  #settle<T>(result: Promise<T>, done: Done<T>): void {
    result.then(
      (result) => done(null, result),
      (cause) => done(new CodedError('sessions_unavailable', { cause })),
    )
  }
}

/**
 * Returns true for a request that changes no data, and for a request that a page of this service or of `origins` sent,
 * according to the browser. A request without these headers is rejected: current browsers send them, and other clients
 * can send a bearer token instead of a cookie.
 * https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
 */
function isOwnSite({ method, headers, protocol, host }: Request, origins: readonly string[]): boolean {
  if (method === 'GET' || method === 'HEAD' || method === 'OPTIONS') return true
  const { origin, 'sec-fetch-site': site } = headers
  if (site === 'same-origin') return true
  if (origin === undefined) return false
  return origins.includes(origin) || (site === undefined && origin === `${protocol}://${host}`)
}
