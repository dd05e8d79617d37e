import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { CodedError, HTTP_PROBLEMS } from '../problem/index.ts'
import { authenticate } from './authenticate.ts'
import { createSessions, type SessionOptions } from './sessions.ts'

const OLD = 'old-secret-of-the-sessions-0123456789'
const NEW = 'new-secret-of-the-sessions-0123456789'
const HOUR = 3_600_000

let stored: Map<string, { content: string; ttlMs: number }>
let isDown: boolean
let time: number
let servers: Server[]
beforeEach(() => {
  stored = new Map()
  isDown = false
  time = 1_700_000_000_000
  servers = []
})
afterEach(() => {
  for (const server of servers) server.close()
})

const respond = async <T>(action: () => T): Promise<T> => {
  if (isDown) throw new Error('down')
  return action()
}

const store: SessionOptions['store'] = {
  get: (id) => respond(() => stored.get(id)?.content ?? null),
  set: (id, content, ttlMs) => respond(() => stored.set(id, { content, ttlMs })),
  delete: (id) => respond(() => stored.delete(id)),
}

/** Starts one process of the service. It accepts the bearer token `right`. */
function service(options: Partial<SessionOptions> = {}) {
  const sessions = createSessions({ store, secrets: [NEW], ttlMs: HOUR, secure: true, now: () => time, ...options })
  const app = express()
  app.set('trust proxy', true)
  const verify = async (token: string) => {
    if (token !== 'right') throw new CodedError('invalid_token')
    return { subject: 'user-1', expiresAt: 1 }
  }
  app.use(authenticate({ verify, findSession: sessions.find }))
  app.post('/session', async (req, res) => {
    await sessions.start(req, res, req.auth!.subject)
    res.status(201).json({})
  })
  app.delete('/session', async (req, res) => {
    await sessions.end(req, res)
    res.status(204).end()
  })
  app.all('/', (req, res) => void res.json(req.auth))
  app.use(((error, _req, res, _next) => {
    res.status(HTTP_PROBLEMS[error.code as keyof typeof HTTP_PROBLEMS].status).json({ code: error.code })
  }) as express.ErrorRequestHandler)
  const server = createServer(app).listen(0)
  servers.push(server)
  const client = request(server)
  /** Sends a request with a cookie, as a proxy that terminates TLS forwards it. */
  const ask = (cookie: string, method: 'get' | 'post' | 'put' | 'delete' = 'get', path = '/') =>
    client[method](path).set({ cookie, 'x-forwarded-proto': 'https', host: 'shop.example.com' })
  const start = (cookie = '') => ask(cookie, 'post', '/session').set('authorization', 'Bearer right')
  return { client, ask, start }
}

const setCookie = ({ headers }: { headers: Record<string, unknown> }) =>
  String((headers['set-cookie'] as string[] | undefined)?.[0])
const readCookie = (response: request.Response) => setCookie(response).split(';', 1)[0] ?? ''
const OWN = { 'sec-fetch-site': 'same-origin' }

test('every process accepts a session in place of its token', async () => {
  const response = await service().start().expect(201)
  await service()
    .ask(readCookie(response))
    .expect('cache-control', 'no-store')
    .expect('vary', 'cookie')
    .expect(200, { subject: 'user-1', expiresAt: (time + HOUR) / 1000, scheme: 'session' })
})

test('the attributes of the cookie exclude scripts, other sites, other hosts and plain connections', async () => {
  const response = await service().start()
  expect(setCookie(response)).toMatch(
    /^__Host-session=s%3A[\w%.-]{60,}; Path=\/; Expires=[^;]+; HttpOnly; Secure; SameSite=Lax$/,
  )
  const plain = await service({ secure: false }).start()
  expect(setCookie(plain)).toMatch(/^session=s%3A[^;]+; Path=\/; Expires=[^;]+; HttpOnly; SameSite=Lax$/)
})

test('a session does not start on a connection without TLS', async () => {
  const { client } = service()
  const response = await client.post('/session').set('authorization', 'Bearer right').expect(403)
  expect(response.body).toEqual({ code: 'insecure_connection' })
  expect(stored.size).toBe(0)
})

test('a session ends after its lifetime, even when the store keeps it and requests use it', async () => {
  const { ask, start } = service()
  const cookie = readCookie(await start())
  expect([...stored.values()][0]?.ttlMs).toBe(HOUR)
  time += HOUR - 1
  const used = await ask(cookie).expect(200)
  expect(used.headers).not.toHaveProperty('set-cookie')
  time += 1
  await ask(cookie).expect(401)
  expect(stored.size).toBe(1)
})

test('the end of a session deletes it from the store and deletes its cookie', async () => {
  const { ask, start } = service()
  const cookie = readCookie(await start())
  const response = await ask(cookie, 'delete', '/session').set(OWN).expect(204)
  expect(setCookie(response)).toMatch(/^__Host-session=; Path=\/; Expires=Thu, 01 Jan 1970/)
  expect(stored.size).toBe(0)
  await ask(cookie).expect(401, { code: 'unauthenticated' })
})

test('the start of a session creates a new id and ends the previous session', async () => {
  const { ask, start } = service()
  const planted = readCookie(await start())
  const own = readCookie(await start(planted))
  expect(own).not.toBe(planted)
  await ask(planted).expect(401)
  await ask(own).expect(200)
  expect(stored.size).toBe(1)
})

test('a changed or unsigned cookie is ignored', async () => {
  const { ask, start } = service()
  const cookie = readCookie(await start())
  const [id] = [...stored.keys()]
  const tampered = [
    cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    cookie.replace('s%3A', 's%3AX'),
    cookie.replace(/\..*$/, ''),
    `__Host-session=${id}`,
    `session=${cookie.split('=')[1]}`,
    '__Host-session=',
    '__Host-session=s%3A.x',
    '__Host-session=%E0%A4%A',
    '__Host-session=s%3A__proto__.x',
  ]
  isDown = true
  // The signature alone rejects the cookie, without the store.
  for (const each of tampered) await ask(each).expect(401)
})

test('the first secret signs, an old secret verifies, and a removed secret does not verify', async () => {
  const before = readCookie(await service({ secrets: [OLD] }).start())
  const both = service({ secrets: [NEW, OLD] })
  await both.ask(before).expect(200)
  const { ask } = service({ secrets: [NEW] })
  await ask(before).expect(401)
  await ask(readCookie(await both.start())).expect(200)
})

describe('while the store is unavailable', () => {
  test('only requests that need a session fail, and no response sets a cookie', async () => {
    const { ask, start, client } = service()
    const cookie = readCookie(await start())
    isDown = true
    await ask(cookie).expect(503, { code: 'sessions_unavailable' })
    const refused = await start().expect(503, { code: 'sessions_unavailable' })
    expect(refused.headers).not.toHaveProperty('set-cookie')
    await ask(cookie, 'delete', '/session').set(OWN).expect(503)
    await ask(cookie).set('authorization', 'Bearer right').expect(200)
    await client.get('/').expect(401)
    isDown = false
    await ask(cookie).expect(200)
  })
})

describe('a request that changes data', () => {
  const SHOP = 'https://shop.example.com'
  const ADMIN = 'https://admin.example.com'

  test.each([
    [200, { 'sec-fetch-site': 'same-origin', origin: SHOP }],
    [200, { 'sec-fetch-site': 'same-origin' }],
    [200, { origin: SHOP }],
    [200, { 'sec-fetch-site': 'same-site', origin: ADMIN }],
    [200, { origin: ADMIN }],
    [403, {}],
    [403, { 'sec-fetch-site': 'cross-site' }],
    [403, { 'sec-fetch-site': 'none' }],
    [403, { 'sec-fetch-site': 'same-site', origin: 'https://blog.example.com' }],
    [403, { 'sec-fetch-site': 'cross-site', origin: SHOP }],
    [403, { origin: 'null' }],
    [403, { origin: 'http://shop.example.com' }],
    [403, { origin: `${SHOP}:8443` }],
    [403, { origin: `${ADMIN}.evil.net` }],
    [403, { origin: 'HTTPS://ADMIN.EXAMPLE.COM' }],
  ])('gets status %d when the browser sends %j', async (status, headers) => {
    const { ask, start } = service({ origins: [ADMIN] })
    const cookie = readCookie(await start())
    for (const method of ['post', 'put', 'delete'] as const) await ask(cookie, method).set(headers).expect(status)
    await ask(cookie).set(headers).expect(200)
  })

  test('with a token is accepted from any origin', async () => {
    const { ask } = service()
    await ask('', 'post').set({ authorization: 'Bearer right', 'sec-fetch-site': 'cross-site' }).expect(200)
  })
})
