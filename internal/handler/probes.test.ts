import { createHash } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { afterAll, beforeEach, describe, expect, jest, test } from '@jest/globals'
import request from 'supertest'
import type { Snapshot } from '#pkg/health/index.ts'
import type { Phase } from '#pkg/lifecycle/index.ts'
import { probes } from './probes.ts'

const healthy: Snapshot = {
  status: 'ok',
  timestamp: 1_795_353_962,
  checks: {
    database: { status: 'ok', critical: true, latencyMs: 0.8, checkedAt: 1_795_353_961 },
    redis: { status: 'fail', critical: false, reason: 'timeout', checkedAt: 1_795_353_960 },
  },
  history: {
    database: [{ ok: true, at: 1_795_353_961_000, latencyMs: 0.8 }],
    redis: [{ ok: false, at: 1_795_353_960_000, reason: 'timeout' }],
  },
}
const unhealthy: Snapshot = { ...healthy, status: 'fail' }

let phase: Phase
let snapshot: Snapshot
beforeEach(() => {
  phase = 'serving'
  snapshot = healthy
})

const probe = probes({
  lifecycle: { phase: () => phase },
  health: { snapshot: () => snapshot },
  service: 'payments',
  version: '1.4.0',
  dialect: () => 'standard',
})
const server: Server = createServer((req, res) => {
  if (!probe(req, res)) res.writeHead(418).end()
}).listen(0)
const client = request(server)
afterAll(() => {
  server.close()
})

describe('/health', () => {
  test('returns the aggregate of the checks', async () => {
    const { body } = await client.get('/health').expect(200)
    const { history: _, ...contract } = healthy
    expect(body).toEqual({ ...contract, service: 'payments', version: '1.4.0' })
    expect(Object.keys(body)).toEqual(['status', 'service', 'version', 'timestamp', 'checks'])
  })

  test('is 503 when the aggregate fails, and follows the snapshot', async () => {
    snapshot = unhealthy
    await client.get('/health').expect(503)
    snapshot = healthy
    await client.get('/health').expect(200)
  })
})

describe('/health in a browser', () => {
  const accept = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

  test('is a page with the status of the JSON response', async () => {
    for (const [given, status] of [
      [healthy, 200],
      [unhealthy, 503],
    ] as const) {
      snapshot = given
      const { headers, text } = await client.get('/health').set('accept', accept).expect(status)
      expect(headers).toMatchObject({
        'content-type': 'text/html; charset=utf-8',
        'content-length': String(Buffer.byteLength(text)),
        'cache-control': 'no-store',
        vary: 'accept',
        refresh: '5',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
        'referrer-policy': 'no-referrer',
      })
      expect(text).toContain(`<title>${given.status}: payments</title>`)
      const head = await client.head('/health').set('accept', accept).expect(status)
      expect(head.headers).toMatchObject({ 'content-length': headers['content-length'] })
      expect(head.text).toBeUndefined()
    }
  })

  test('has a policy that permits its inline style and no other resource', async () => {
    const { headers, text } = await client.get('/health').set('accept', accept)
    const style = /<style>(.*)<\/style>/s.exec(text)?.[1] ?? ''
    expect(style).not.toBe('')
    const hash = createHash('sha256').update(style).digest('base64')
    expect(headers['content-security-policy']).toBe(
      `default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none';style-src 'sha256-${hash}'`,
    )
  })

  test.each([undefined, '*/*', 'application/json', 'application/json, text/html'])('is JSON for %s', async (wanted) => {
    const plain = await client.get('/health').expect(200)
    expect(plain.headers).toMatchObject({ 'content-type': 'application/json; charset=utf-8', vary: 'accept' })
    const asked = await client.get('/health').set(wanted === undefined ? {} : { accept: wanted })
    expect(asked.text).toBe(plain.text)
  })

  test('the other probes are JSON for every client', async () => {
    for (const path of ['/health/live', '/health/ready', '/health/startup']) {
      await client
        .get(path)
        .set('accept', accept)
        .expect('content-type', /^application\/json/)
    }
  })

  test('is rendered once for each snapshot', async () => {
    const read = jest.fn(() => healthy.checks)
    snapshot = {
      ...healthy,
      get checks() {
        return read()
      },
    }
    for (let time = 0; time < 3; time++) await client.get('/health').set('accept', accept).expect(200)
    expect(read).toHaveBeenCalledTimes(1)
  })
})

test.each([
  ['starting', healthy, 200, 503, 503],
  ['serving', healthy, 200, 200, 200],
  ['serving', unhealthy, 200, 503, 200],
  ['draining', healthy, 200, 503, 200],
  ['stopped', healthy, 200, 503, 200],
] as const)('while %s: live, ready and startup', async (given, checks, live, ready, startup) => {
  phase = given
  snapshot = checks
  await client.get('/health/live').expect(live, { status: 'ok' })
  await client.get('/health/ready').expect(ready)
  await client.get('/health/startup').expect(startup)
})

test('a response with status 503 has the reason in one word', async () => {
  phase = 'draining'
  await client.get('/health/ready').expect(503, { status: 'fail', reason: 'draining' })
  phase = 'serving'
  snapshot = unhealthy
  await client.get('/health/ready').expect(503, { status: 'fail', reason: 'dependency' })
})

describe('/health/ready in the dialects of proxies', () => {
  const calm: Snapshot = { ...healthy, checks: {} }
  const states = [
    ['starting', 'starting', calm],
    ['ok', 'serving', calm],
    ['warning', 'serving', healthy],
    ['dependency', 'serving', unhealthy],
    ['draining', 'draining', calm],
  ] as const

  test.each([
    ['standard', [503, 200, 200, 503, 503]],
    ['haproxy', [503, 200, 200, 503, 404]],
    ['envoy', [503, 200, 200, 503, 503]],
    ['consul', [503, 200, 429, 503, 503]],
    ['klingon', [503, 200, 200, 503, 503]],
  ])('%s', async (dialect, expected) => {
    for (const [index, [, given, checks]] of states.entries()) {
      phase = given
      snapshot = checks
      await client.get(`/health/ready?dialect=${dialect}`).expect(expected[index]!)
    }
  })

  test('only a draining instance sends the header that makes Envoy fail the host', async () => {
    const header = 'x-envoy-immediate-health-check-fail'
    expect((await client.get('/health/ready?dialect=envoy')).headers).not.toHaveProperty(header)
    phase = 'draining'
    await client.get('/health/ready?dialect=envoy').expect(header, 'true')
    expect((await client.get('/health/ready')).headers).not.toHaveProperty(header)
  })
})

test.each(['/health', '/health/live', '/health/ready', '/health/startup'])(
  '%s supports GET and HEAD, forbids caching and rejects other methods',
  async (path) => {
    const get = await client.get(`${path}?from=kubelet`).expect(200).expect('cache-control', 'no-store')
    const head = await client.head(path).expect(200).expect('content-length', String(get.text.length))
    expect(head.text).toBeUndefined()
    const refused = await client.post(path).expect(405).expect('allow', 'GET, HEAD')
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(refused.body).toMatchObject({ status: 405, requestId: refused.headers['x-request-id'] })
  },
)

test.each(['/', '/healthz', '/health/', '/health/live/x', '//health', '/HEALTH'])('%s is not a probe', async (path) => {
  await client.get(path).expect(418)
})
