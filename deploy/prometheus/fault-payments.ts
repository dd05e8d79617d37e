import { payments as listOwn, type PaymentsHandlerDeps } from '../../internal/handler/payments.ts'
import { operation, type Route } from '../../pkg/operation/index.ts'

/**
 * The payment routes of the service, and a route that succeeds although its call fails, so that a failing upstream does
 * not raise the error rate. build-faulty.ts builds them into the artifact.
 */
export function payments(deps: PaymentsHandlerDeps): Route[] {
  const payment = operation({
    id: 'callUpstream',
    summary: 'Calls the upstream',
    public: true,
    responses: { 200: { description: 'The call has ended' } },
    async handler(_req, res) {
      await deps.payments.get('1').catch(() => {})
      res.end()
    },
  })
  return [...listOwn(deps), { path: '/faults/payment', get: payment }]
}
