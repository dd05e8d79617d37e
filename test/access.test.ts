import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { findLines, killApps, type RunningApp, runApp, startApp } from './support/app.ts'
import { type Issuer, startIssuer } from './support/issuer.ts'
import { type TestService, testRedis, until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

const OLD = 'the-old-secret-of-the-sessions-01234'
const NEW = 'the-new-secret-of-the-sessions-01234'

let redis: TestService
let issuer: Issuer
beforeAll(async () => {
  ;[redis, issuer] = await Promise.all([testRedis(), startIssuer()])
})
afterAll(async () => {
  issuer.close()
  await redis.stop()
})
afterEach(killApps)

async function start(env: Record<string, string> = {}): Promise<RunningApp> {
  const app = await startApp({ env: { TRUST_PROXY: '1', ...issuer.env, ...env } })
  await until(async () => (await fetch(`${app.url}/health/ready`)).ok)
  return app
}

const withSessions = (env: Record<string, string> = {}) => start({ REDIS_URL: redis.url, SESSION_SECRET: NEW, ...env })

interface Asked {
  readonly method?: string
  readonly path?: string
  readonly token?: string
  readonly cookie?: string
  readonly headers?: Record<string, string>
}

/** Sends a request as a proxy that terminates TLS does. `fetch` would normalise the path and add headers. */
function ask(app: RunningApp, { method = 'GET', path = '/v1/session', token, cookie, headers }: Asked = {}) {
  return new Promise<{ status: number; body: Record<string, unknown>; headers: Record<string, unknown> }>(
    (resolve, reject) => {
      const fields = {
        'x-forwarded-proto': 'https',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(cookie !== undefined && { cookie }),
        ...headers,
      }
      const options = { host: '127.0.0.1', port: app.port, path, method, headers: fields, agent: false }
      request(options, async (res) => {
        const body = await text(res)
        resolve({ status: res.statusCode ?? 0, body: body === '' ? {} : JSON.parse(body), headers: res.headers })
      })
        .once('error', reject)
        .end()
    },
  )
}

const OWN = { 'sec-fetch-site': 'same-origin' }

async function login(app: RunningApp, cookie?: string): Promise<string> {
  const token = await issuer.token()
  const { status, headers } = await ask(app, { method: 'POST', token, ...(cookie !== undefined && { cookie }) })
  expect(status).toBe(201)
  return String((headers['set-cookie'] as string[])[0]).split(';', 1)[0] ?? ''
}

describe('bearer tokens', () => {
  test('are required by every operation that is not public', async () => {
    const app = await start({ FEATURES: 'docs,version' })
    for (const path of ['/openapi.json', '/docs', '/docs/x.js', '/version', '/openapi.json?x', '/openapi.json/']) {
      const { status, body, headers } = await ask(app, { path })
      expect([path, status, body['code'], headers['www-authenticate']]).toEqual([
        path,
        401,
        'unauthenticated',
        'Bearer',
      ])
      expect(headers['content-type']).toMatch(/^application\/problem\+json/)
    }
    for (const path of ['/ping', '/health', '/health/live', '/health/ready', '/health/startup']) {
      expect([path, (await ask(app, { path })).status]).toEqual([path, 200])
    }
    // Other spellings of a path do not reach its operation.
    for (const path of ['/OpenAPI.json', '//openapi.json', '/nothing']) {
      expect([path, (await ask(app, { path })).status]).toEqual([path, 404])
    }
    expect((await ask(app, { path: '/openapi.json', token: await issuer.token() })).status).toBe(200)
  })

  test('with a new key work without a restart, and the response to an invalid token gives no reason', async () => {
    const app = await start()
    const fetchStatus = async (token: string) => (await ask(app, { path: '/openapi.json', token })).status
    const before = await issuer.token()
    expect(await fetchStatus(before)).toBe(200)
    expect(await fetchStatus(await issuer.token({ aud: 'others' }))).toBe(401)
    expect(
      (await ask(app, { path: '/openapi.json', token: await issuer.token({ exp: 1 }) })).headers['www-authenticate'],
    ).toBe('Bearer error="invalid_token", error_description="expired"')
    issuer.rotate()
    await until(async () => (await fetchStatus(await issuer.token())) === 200)
    expect(await fetchStatus(before)).toBe(401)
    // The first token exceeds the limit of all headers. The second token exceeds the limit of a token.
    expect(await fetchStatus('x'.repeat(20_000))).toBe(431)
    expect(await fetchStatus('x'.repeat(9_000))).toBe(401)
  })

  test('get a 503 while the issuer is down, and only the log has the cause', async () => {
    const other = await startIssuer()
    const app = await start(other.env)
    other.close()
    const { status, body, headers } = await ask(app, { path: '/openapi.json', token: await other.token() })
    expect([status, body['code'], headers['retry-after']]).toEqual([503, 'keys_unavailable', '5'])
    expect(JSON.stringify(body)).not.toContain('127.0.0.1')
    expect(await app.line({ message: 'request failed', 'http.response.status_code': 503 })).toMatchObject({
      'log.level': 'error',
    })
    expect((await ask(app, { path: '/ping' })).status).toBe(200)
  })

  test('add neither operations nor headers when AUTH_* is unset', async () => {
    const app = await startApp()
    expect((await ask(app)).status).toBe(404)
    const { headers } = await ask(app, { path: '/ping', cookie: '__Host-session=x' })
    for (const name of ['set-cookie', 'vary', 'www-authenticate']) expect(headers).not.toHaveProperty(name)
  })
})

describe('sessions', () => {
  test('are shared by two instances from their start to their end', async () => {
    const [one, two] = await Promise.all([withSessions(), withSessions()])
    const cookie = await login(one)
    expect(cookie).toMatch(/^__Host-session=/)
    const { status, body, headers } = await ask(two, { cookie })
    expect(status).toBe(200)
    expect(body).toEqual({ subject: 'user-1', scheme: 'session', expiresAt: expect.any(Number) })
    expect(Number(body['expiresAt']) - Date.now() / 1000).toBeGreaterThan(8 * 3_600 - 30)
    expect(headers).toMatchObject({ 'cache-control': 'no-store' })
    // A session cannot start another session.
    expect((await ask(two, { method: 'POST', cookie, headers: OWN })).body).toMatchObject({ code: 'token_required' })
    expect((await ask(two, { method: 'DELETE', cookie })).body).toMatchObject({ code: 'cross_site_request' })
    const ended = await ask(two, { method: 'DELETE', cookie, headers: OWN })
    expect([ended.status, String(ended.headers['set-cookie'])]).toEqual([
      204,
      expect.stringContaining('__Host-session=; Path=/; Expires=Thu, 01 Jan 1970'),
    ])
    expect((await ask(one, { cookie })).status).toBe(401)
  })

  test('start with a new id', async () => {
    const app = await withSessions()
    const planted = await login(app)
    const own = await login(app, planted)
    expect(own).not.toBe(planted)
    expect((await ask(app, { cookie: planted })).status).toBe(401)
    expect((await ask(app, { cookie: own })).status).toBe(200)
    expect((await ask(app, { cookie: own.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) })).status).toBe(401)
    expect(
      (await ask(app, { method: 'POST', token: await issuer.token(), headers: { 'x-forwarded-proto': 'http' } })).body,
    ).toMatchObject({ code: 'insecure_connection' })
  })

  test('survive the rotation of the secret while the old secret is listed', async () => {
    const [before, both, after] = await Promise.all([
      withSessions({ SESSION_SECRET: OLD }),
      withSessions({ SESSION_SECRET: `${NEW},${OLD}` }),
      withSessions({ SESSION_SECRET: NEW }),
    ])
    const cookie = await login(before)
    expect((await ask(both, { cookie })).status).toBe(200)
    expect((await ask(after, { cookie })).status).toBe(401)
    expect((await ask(after, { cookie: await login(both) })).status).toBe(200)
  })

  test('end after SESSION_TTL_MS, even when they are in use', async () => {
    const app = await withSessions({ SESSION_TTL_MS: '2000' })
    const startedAt = performance.now()
    const cookie = await login(app)
    expect((await ask(app, { cookie })).status).toBe(200)
    await until(async () => (await ask(app, { cookie })).status === 401)
    expect(performance.now() - startedAt).toBeGreaterThan(1_990)
  })

  test.each(['killed', 'hanging'])(
    'get a 503 while Redis is %s, other requests work, and sessions work again afterwards',
    async (how) => {
      const app = await withSessions({
        REDIS_CRITICAL: 'false',
        HEALTH_INTERVAL_MS: '300',
        HEALTH_TIMEOUT_MS: '250',
      })
      const cookie = await login(app)
      const token = await issuer.token()
      if (how === 'killed') await redis.kill()
      else redis.hang()
      const { status, body } = await ask(app, { cookie })
      expect([status, body['code']]).toEqual([503, 'sessions_unavailable'])
      const started = await ask(app, { method: 'POST', token })
      expect([started.status, started.headers['set-cookie']]).toEqual([503, undefined])
      expect((await ask(app, { token, cookie })).status).toBe(200)
      expect((await ask(app)).status).toBe(401)
      expect((await ask(app, { path: '/ping', cookie })).status).toBe(200)
      if (how === 'killed') await redis.restart()
      else redis.resume()
      await until(async () => (await ask(app, { method: 'POST', token })).status === 201)
      if (how === 'hanging') await until(async () => (await ask(app, { cookie })).status === 200)
    },
  )

  test('are in the OpenAPI document', async () => {
    const app = await withSessions({ FEATURES: 'docs' })
    const { body } = await ask(app, { path: '/openapi.json', token: await issuer.token() })
    expect(body).toMatchObject({ components: { securitySchemes: { bearer: {}, session: { name: '__Host-session' } } } })
    expect(body['paths'] as object).toHaveProperty('/v1/session')
  })

  test('have a secret, and `app config` masks it', async () => {
    const { stdout } = await runApp(['config'], {
      env: { ...issuer.env, REDIS_URL: redis.url, SESSION_SECRET: `${NEW},${OLD}` },
    })
    expect(JSON.parse(stdout)).toMatchObject({ SESSION_SECRET: '***' })
    expect(stdout).not.toContain('secret-of')
  })
})

test('a capability is loaded only when its variable is set', async () => {
  const traced = join(temporaryDirectory('access'), 'server.cjs')
  const part = /"((?:pkg|internal)\/access\b[^"]*|node_modules\/(?:jose|express-session)\/[^"]+)"\([^)]*\)\s*\{/g
  const trace = (head: string, file: string) =>
    `${head}process.stdout.write(${JSON.stringify(`${JSON.stringify({ test: true, message: 'loaded', file })}\n`)});`
  writeFileSync(traced, readFileSync('dist/server.cjs', 'utf8').replaceAll(part, trace))
  const program = [process.execPath, traced]
  const loaded = async (env = {}) => {
    const files = findLines(await startApp({ program, env }), 'loaded').map(({ file }) => String(file))
    return ['jose', 'bearer-tokens', 'express-session'].filter((name) => files.some((file) => file.includes(name)))
  }
  expect(await loaded({ REDIS_URL: redis.url, RATE_LIMIT: '1', CORS_ORIGINS: '*' })).toEqual([])
  expect(await loaded(issuer.env)).toEqual(['jose', 'bearer-tokens'])
  expect(await loaded({ ...issuer.env, REDIS_URL: redis.url, SESSION_SECRET: NEW })).toHaveLength(3)
})

test('a page of a listed origin may use a session and read every response', async () => {
  const origin = 'https://admin.example.com'
  const app = await withSessions({ CORS_ORIGINS: origin, RATE_LIMIT: '6' })
  const cookie = await login(app)
  const readable = async (asked: Asked) => {
    const { status, headers } = await ask(app, {
      ...asked,
      headers: { origin, 'sec-fetch-site': 'same-site', ...asked.headers },
    })
    return [status, headers['access-control-allow-origin'], headers['access-control-allow-credentials']]
  }
  expect(await readable({ cookie })).toEqual([200, origin, 'true'])
  expect(await readable({})).toEqual([401, origin, 'true'])
  expect(await readable({ method: 'OPTIONS', headers: { 'access-control-request-method': 'DELETE' } })).toEqual([
    204,
    origin,
    'true',
  ])
  expect(await readable({ method: 'DELETE', cookie })).toEqual([204, origin, 'true'])
  await until(async () => {
    const response = await readable({})
    if (response[0] === 401) return false
    expect(response).toEqual([429, origin, 'true'])
    return true
  })
})
