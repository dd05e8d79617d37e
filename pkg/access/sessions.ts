import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Request, Response } from 'express'
import { CodedError } from '../problem/index.ts'
import type { Caller } from './authenticate.ts'

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
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

/** Requests and responses with any body and any parameters. */
type AnyRequest = Request<unknown, never, unknown, unknown>
type AnyResponse = Response<never>

export type Sessions = ReturnType<typeof createSessions>

export function createSessions({ store, secrets, ttlMs, secure, origins = [], now = Date.now }: SessionOptions) {
  // The prefix makes browsers accept the cookie from this host over TLS only, so a sibling domain cannot set it.
  const cookieName = secure ? '__Host-session' : 'session'
  const cookiePattern = new RegExp(`(?:^|; *)${cookieName}=(s%3A([\\w-]{32})\\.[^; ]+)`)
  const attributes = { path: '/', httpOnly: true, sameSite: 'lax', secure } as const

  /** Returns the id in the cookie when one of the secrets has signed it. */
  function readId({ headers }: AnyRequest): string | undefined {
    const [, value = '', id = ''] = cookiePattern.exec(headers.cookie ?? '') ?? []
    const given = Buffer.from(value)
    const isSigned = secrets.some((secret) => {
      const expected = Buffer.from(encodeURIComponent(sign(id, secret)))
      return expected.length === given.length && timingSafeEqual(expected, given)
    })
    return isSigned ? id : undefined
  }

  const describe = (subject: string, expiresAtMs: number): Caller => ({
    subject,
    expiresAt: Math.floor(expiresAtMs / 1000),
  })

  return {
    cookieName,
    /** Returns the session of the request's cookie, if any. @throws CodedError sessions_unavailable or cross_site_request */
    async find(req: Request): Promise<Caller | undefined> {
      const id = readId(req)
      if (id === undefined) return undefined
      if (!isOwnSite(req, origins)) throw new CodedError('cross_site_request')
      const { subject, expiresAt } = await attempt(async () => JSON.parse((await store.get(id)) ?? '{}'))
      return expiresAt > now() ? describe(subject, expiresAt) : undefined
    },
    /**
     * Starts a session under a new id and ends the previous session.
     *
     * @throws CodedError sessions_unavailable or insecure_connection
     */
    async start(req: AnyRequest, res: AnyResponse, subject: string): Promise<Caller> {
      if (secure && !req.secure) throw new CodedError('insecure_connection')
      const previous = readId(req)
      const id = randomBytes(24).toString('base64url')
      const expiresAt = now() + ttlMs
      await attempt(async () => {
        if (previous !== undefined) await store.delete(previous)
        await store.set(id, JSON.stringify({ subject, expiresAt }), ttlMs)
      })
      res.cookie(cookieName, sign(id, secrets[0] ?? ''), { ...attributes, expires: new Date(expiresAt) })
      return describe(subject, expiresAt)
    },
    /** Ends the current session. @throws CodedError sessions_unavailable */
    async end(req: AnyRequest, res: AnyResponse): Promise<void> {
      const id = readId(req)
      if (id !== undefined) await attempt(() => store.delete(id))
      res.clearCookie(cookieName, attributes)
    },
  }
}

/** Returns the value of a cookie, in the format of express-session. */
function sign(id: string, secret: string): string {
  return `s:${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`
}

async function attempt<T>(use: () => Promise<T>): Promise<T> {
  try {
    return await use()
  } catch (cause) {
    throw new CodedError('sessions_unavailable', { cause })
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
