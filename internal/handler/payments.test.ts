import { createServer } from 'node:http'
import { afterAll, beforeEach, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { registerRoute } from '#pkg/operation/index.ts'
import { CodedError, problemHandler } from '#pkg/problem/index.ts'
import { type UpstreamRequest, UpstreamStatusError } from '#pkg/upstream/index.ts'
import { PROBLEMS } from '../problems.ts'
import { createPayments, type Payment } from '../service/payments.ts'
import { payments } from './payments.ts'

const payment: Payment = { id: 'pay_1', amount: 1250, currency: 'EUR', status: 'pending' }

const asked: UpstreamRequest[] = []
let respond: () => Promise<unknown>
beforeEach(() => {
  asked.length = 0
  respond = async () => payment
})

interface Fallback {
  readonly schema: unknown
  readonly fallback?: ((error: CodedError) => unknown) | undefined
}

const upstream = {
  json: ({ schema: _, fallback, ...request }: UpstreamRequest & Fallback) => {
    asked.push(request)
    const failed = (error: CodedError) =>
      (error instanceof UpstreamStatusError ? undefined : fallback?.(error)) ?? Promise.reject(error)
    return respond().catch(failed) as never
  },
}
const app = express()
for (const route of payments({ payments: createPayments({ upstream }) })) {
  registerRoute(app, route, {
    readBody: () => express.json(),
    guard(req, _res, next) {
      const subject = req.get('subject')
      if (subject !== undefined) req.auth = { subject, expiresAt: 1, scheme: 'bearer' }
      next()
    },
  })
}
app.use(problemHandler({ table: PROBLEMS }))
const server = createServer(app).listen(0)
afterAll(() => void server.close())
const client = request(server)

test('a payment is read from the upstream', async () => {
  const { body } = await client.get('/v1/payments/pay_1').expect(200)
  expect(body).toEqual(payment)
  expect(asked).toEqual([{ method: 'GET', path: '/payments/pay_1' }])
})

test('while the upstream fails, a final payment that was read before is returned, and a pending payment is not', async () => {
  const failed = () => Promise.reject(new CodedError('upstream_unavailable'))
  const final = { ...payment, id: 'pay_2', status: 'succeeded' }
  await client.get('/v1/payments/pay_1').expect(200)
  respond = async () => final
  await client.get('/v1/payments/pay_2').expect(200)
  respond = failed
  expect((await client.get('/v1/payments/pay_2').expect(200)).body).toEqual(final)
  await client.get('/v1/payments/pay_1').expect(503).expect('retry-after', '1')
  await client.get('/v1/payments/pay_3').expect(503)
})

test.each([
  ['pending again', async () => ({ ...payment, id: 'pay_4' })],
  ['unknown', () => Promise.reject(new UpstreamStatusError(404))],
])('the fallback forgets a final payment that the upstream reports as %s', async (_title, change) => {
  respond = async () => ({ ...payment, id: 'pay_4', status: 'succeeded' })
  await client.get('/v1/payments/pay_4').expect(200)
  respond = change
  await client.get('/v1/payments/pay_4')
  respond = () => Promise.reject(new CodedError('upstream_unavailable'))
  await client.get('/v1/payments/pay_4').expect(503)
})

test('the fallback forgets the payment that was read least recently', async () => {
  const limited = createPayments({ upstream })
  const read = (id: string) => {
    respond = async () => ({ ...payment, id, status: 'failed' })
    return limited.get(id)
  }
  for (let index = 0; index < 1_000; index++) await read(`pay_${index}`)
  await read('pay_0')
  await read('pay_1000')
  respond = () => Promise.reject(new CodedError('upstream_timeout'))
  expect(await limited.get('pay_0')).toMatchObject({ id: 'pay_0' })
  await expect(limited.get('pay_1')).rejects.toMatchObject({ code: 'upstream_timeout' })
  expect(await limited.get('pay_2')).toMatchObject({ id: 'pay_2' })
})

test.each(['a%2Fb', '..%2F..', 'a?b', '%00', 'x'.repeat(101)])(
  'an id such as %s is unknown and reaches no upstream',
  async (id) => {
    await client.get(`/v1/payments/${encodeURIComponent(decodeURIComponent(id))}`).expect(404)
    expect(asked).toEqual([])
  },
)

test('the idempotency key of a new payment is passed on', async () => {
  const { headers, body } = await client
    .post('/v1/payments')
    .set('idempotency-key', 'k-1')
    .send({ amount: 1250, currency: 'EUR' })
    .expect(201)
  expect(headers['location']).toBe('/v1/payments/pay_1')
  expect(body).toEqual(payment)
  expect(asked).toEqual([
    { method: 'POST', path: '/payments', body: { amount: 1250, currency: 'EUR' }, idempotencyKey: 'k-1' },
  ])
})

test('each caller has its own key at the upstream, and a retry has the same key', async () => {
  const keys: unknown[] = []
  for (const subject of ['ada', 'bob', 'ada']) {
    const create = client.post('/v1/payments').set({ subject, 'idempotency-key': 'k-1' })
    await create.send({ amount: 1250, currency: 'EUR' }).expect(201)
    keys.push(asked.at(-1)?.idempotencyKey)
  }
  expect(keys).toEqual([expect.stringMatching(/^[\w-]+$/), expect.not.stringMatching(String(keys[0])), keys[0]])
})

test('a new payment without a key is passed on without a key', async () => {
  await client.post('/v1/payments').send({ amount: 1, currency: 'EUR' }).expect(201)
  expect(asked[0]?.idempotencyKey).toBeUndefined()
})

test.each([
  [{ amount: 0, currency: 'EUR' }, ['amount']],
  [{ amount: 1.5, currency: 'euro' }, ['amount', 'currency']],
  [{ amount: 1, currency: 'EUR', status: 'succeeded' }, ['status']],
])('%j is invalid input and reaches no upstream', async (body, fields) => {
  const response = await client.post('/v1/payments').send(body).expect(422)
  expect(response.body.errors.map(({ field }: { field: string }) => field)).toEqual(fields)
  expect(asked).toEqual([])
})

test.each([
  ['GET', 404, 404, 'not_found'],
  ['GET', 403, 502, 'upstream_invalid_response'],
  ['POST', 422, 422, 'idempotency_key_reused'],
  ['POST', 404, 502, 'upstream_invalid_response'],
])('%s: status %i of the upstream becomes %i %s', async (method, status, expected, code) => {
  respond = () => Promise.reject(new UpstreamStatusError(status))
  const call =
    method === 'GET'
      ? client.get('/v1/payments/pay_1')
      : client.post('/v1/payments').send({ amount: 1, currency: 'EUR' })
  expect((await call.expect(expected)).body).toMatchObject({ status: expected, code })
})

test.each([
  ['upstream_unavailable', 503],
  ['upstream_timeout', 504],
  ['upstream_invalid_response', 502],
] as const)('%s is a %i that reveals nothing about the upstream', async (code, status) => {
  const cause = new Error('connect ECONNREFUSED db.internal:8080')
  respond = () => Promise.reject(new CodedError(code, { cause }))
  const response = await client
    .get('/v1/payments/pay_1')
    .expect(status)
    .expect('content-type', /problem\+json/)
  expect(response.body).toMatchObject({ status, code })
  expect(response.text).not.toMatch(/internal:|ECONNREFUSED|payments/)
})
