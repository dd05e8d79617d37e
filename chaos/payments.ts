import { type FakePayments, PAYMENT, startFakePayments } from '../test/payments/fake.ts'

export interface Payments extends Pick<FakePayments, 'port' | 'stop'> {
  /** The times of the requests for pay_1, in milliseconds of `performance.now()`. */
  readonly calls: readonly number[]
}

/** The service has a fallback for a payment whose status never changes again. */
const FINAL = { ...PAYMENT, id: 'pay_final', status: 'succeeded' }

/** Starts the upstream `payments`. */
export async function startPayments(): Promise<Payments> {
  const { port, stop, respond } = await startFakePayments()
  const calls: number[] = []
  respond((req, res) => {
    if (req.url === '/payments/pay_1') calls.push(performance.now())
    req.resume()
    res.writeHead(200, { 'content-type': 'application/json' })
    res.end(JSON.stringify(req.url === '/payments/pay_final' ? FINAL : PAYMENT))
  })
  return { port, stop, calls }
}
