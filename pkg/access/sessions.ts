import { promisify } from 'node:util'
import type { Request, Response } from 'express'
import session, { type SessionData, Store } from 'express-session'
import { CodedError } from '../problem/index.ts'
import type { Auth } from './authenticate.ts'
import { isOwnSite } from './own-site.ts'

declare module 'express-session' {
  interface SessionData {
    subject: string
    /** Unix milliseconds. */
    expiresAt: number
  }
}

/** Storage of the sessions. Every method rejects promptly when the store is unavailable. */
export interface SessionStore {
  get(id: string): Promise<string | null>
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
  readonly now?: () => number
}

/** Requests and responses with any body and any parameters. */
type AnyRequest = Request<unknown, never, unknown, unknown>
type AnyResponse = Response<never>

type Known = Omit<Auth, 'scheme'>

export interface Sessions {
  readonly cookieName: string
  /** Returns the session of the request's cookie, if any. @throws CodedError sessions_unavailable or cross_site_request */
  find(req: Request, res: Response): Promise<Known | undefined>
  /**
   * Starts a session under a new id and ends the previous session.
   *
   * @throws CodedError sessions_unavailable or insecure_connection
   */
  start(req: AnyRequest, res: AnyResponse, subject: string): Promise<Known>
  /** Ends the current session. @throws CodedError sessions_unavailable */
  end(req: AnyRequest, res: AnyResponse): Promise<void>
}

export function createSessions(options: SessionOptions): Sessions {
  const { store, secrets, ttlMs, secure, origins = [], now = Date.now } = options
  // The prefix makes browsers accept the cookie from this host over TLS only, so a sibling domain cannot set it.
  const name = secure ? '__Host-session' : 'session'
  const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const
  const middleware = session({
    name,
    secret: [...secrets],
    cookie: { ...attributes, maxAge: ttlMs },
    store: new SessionStoreAdapter(store, now),
    rolling: false,
    resave: false,
    saveUninitialized: false,
  })
  const load = promisify<AnyRequest, AnyResponse, void>(middleware as never)

  const known = ({ subject = '', expiresAt = 0 }: Partial<SessionData>): Known => ({
    subject,
    expiresAt: Math.floor(expiresAt / 1000),
  })

  return {
    cookieName: name,
    async find(req, res) {
      if (!req.headers.cookie?.includes(`${name}=`)) return undefined
      if (!isOwnSite(req, origins)) throw new CodedError('cross_site_request')
      await load(req, res)
      return req.session.subject === undefined ? undefined : known(req.session)
    },
    async start(req, res, subject) {
      if (secure && !req.secure) throw new CodedError('insecure_connection')
      await load(req, res)
      try {
        await promisify(req.session.regenerate).call(req.session)
        Object.assign(req.session, { subject, expiresAt: now() + ttlMs })
        await promisify(req.session.save).call(req.session)
        return known(req.session)
      } catch (error) {
        // Otherwise express-session would set the cookie on the error response and save the session again.
        Reflect.deleteProperty(req, 'session')
        throw error
      }
    },
    async end(req, res) {
      await load(req, res)
      await promisify(req.session.destroy).call(req.session)
      res.clearCookie(name, attributes)
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
