import * as z from 'zod'
import { CodedError } from '#pkg/problem/index.ts'
import { type Upstream, UpstreamStatusError } from '#pkg/upstream/index.ts'

/** A payment as the upstream returns it. Fields that this service does not use are dropped. */
export const paymentSchema = z.object({
  id: z
    .string()
    .max(100)
    .regex(/^[\w-]+$/),
  amount: z.int().min(1).max(1_000_000_000),
  currency: z
    .string()
    .max(3)
    .regex(/^[A-Z]{3}$/),
  status: z.enum(['pending', 'succeeded', 'failed']),
})

export type Payment = z.output<typeof paymentSchema>

export type NewPayment = Pick<Payment, 'amount' | 'currency'>

/** Number of payments that the fallback remembers. */
const MAX_REMEMBERED = 1_000

export interface PaymentsDeps {
  readonly upstream: Pick<Upstream, 'json'>
}

/** Operations on payments, which belong to another service. Each throws the errors of UPSTREAM_PROBLEMS. */
export type Payments = ReturnType<typeof createPayments>

export function createPayments({ upstream }: PaymentsDeps) {
  /**
   * The latest payments that have succeeded or failed, by id. Their status never changes again. All callers share them:
   * the upstream does not know the caller, so each caller may read every payment. With payments of one caller, add the
   * caller to the key.
   */
  const final = new Map<string, Payment>()

  function remember(id: string, payment: Payment): void {
    final.delete(id)
    if (payment.status === 'pending') return
    final.set(id, payment)
    const [oldest = id] = final.keys()
    if (final.size > MAX_REMEMBERED) final.delete(oldest)
  }

  return {
    /**
     * While the upstream fails, returns a final payment that the upstream has returned before.
     *
     * @throws CodedError `not_found` when the payment does not exist
     */
    async get(id: string): Promise<Payment> {
      try {
        const payment = await upstream.json({
          method: 'GET',
          path: `/payments/${encodeURIComponent(id)}`,
          schema: paymentSchema,
          fallback: () => final.get(id),
        })
        remember(id, payment)
        return payment
      } catch (error) {
        if (error instanceof UpstreamStatusError && error.status === 404) {
          final.delete(id)
          throw new CodedError('not_found', { cause: error })
        }
        throw error
      }
    },

    /**
     * Without a key, the call is not retried once it has been sent. With a key, the call may be retried, and the
     * upstream creates the payment once.
     *
     * @throws CodedError `idempotency_key_reused` when the upstream responds with 422, which means that the key belongs
     * to another payment
     */
    async create(payment: NewPayment, idempotencyKey: string | undefined): Promise<Payment> {
      try {
        const request = { method: 'POST', path: '/payments', body: payment, idempotencyKey }
        return await upstream.json({ ...request, schema: paymentSchema })
      } catch (error) {
        if (error instanceof UpstreamStatusError && error.status === 422) {
          throw new CodedError('idempotency_key_reused', { cause: error })
        }
        throw error
      }
    },
  }
}
