import * as z from 'zod'
import { operation, type Route } from '#pkg/operation/index.ts'
import { idempotencyHeaders, sha256 } from '#pkg/resource/index.ts'
import { type Payment, type Payments, paymentSchema } from '../service/payments.ts'

const example: Payment = { id: 'pay_1', amount: 1250, currency: 'EUR', status: 'succeeded' }

const responseSchema = paymentSchema.meta({ id: 'Payment', examples: [example] })

const createSchema = z
  .strictObject({ amount: paymentSchema.shape.amount, currency: paymentSchema.shape.currency })
  .meta({ id: 'CreatePayment', examples: [{ amount: 1250, currency: 'EUR' }] })

const PROBLEMS = ['upstream_invalid_response', 'upstream_unavailable', 'upstream_timeout'] as const

/**
 * Gives each caller its own keys. The upstream does not know the caller, so with a key of another caller it would
 * return the payment of that caller.
 */
function scopeKey(key: string | undefined, subject: string | undefined): string | undefined {
  if (key === undefined || subject === undefined) return key
  return sha256([subject, key])
}

export interface PaymentsHandlerDeps {
  readonly payments: Payments
}

export function payments({ payments }: PaymentsHandlerDeps): Route[] {
  const create = operation({
    id: 'createPayment',
    summary: 'Creates one payment',
    headers: idempotencyHeaders,
    body: createSchema,
    responses: {
      201: {
        description: 'The payment',
        schema: () => responseSchema,
        headers: { location: 'The path of the payment' },
      },
    },
    problems: [...PROBLEMS, 'idempotency_key_reused'],
    handler: async function createPayment(req, res) {
      const created = await payments.create(req.body, scopeKey(req.get('idempotency-key'), req.auth?.subject))
      res.status(201).set('location', `/v1/payments/${created.id}`).json(created)
    },
  })

  const read = operation({
    id: 'readPayment',
    summary: 'Returns one payment',
    params: z.object({ id: paymentSchema.shape.id.describe('The id of the payment') }),
    responses: { 200: { description: 'The payment', schema: () => responseSchema } },
    problems: PROBLEMS,
    handler: async function readPayment(req, res) {
      res.json(await payments.get(req.params.id))
    },
  })

  return [
    { path: '/v1/payments', post: create },
    { path: '/v1/payments/:id', get: read },
  ]
}
