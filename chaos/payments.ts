import { setTimeout } from 'node:timers/promises'
import { type FakePayments, PAYMENT, startFakePayments } from '../test/payments/fake.ts'

export interface PaymentsMode {
  /** The status of the failures. @default 503 */
  readonly status?: number
  /** Share of the requests that fail, from 0 to 1. @default 0 */
  readonly share?: number
  /** Delay of each response, in milliseconds. @default 0 */
  readonly delayMs?: number
}

export interface Payments extends Pick<FakePayments, 'port' | 'stop'> {
  /** The times of the requests for pay_1, in milliseconds of `performance.now()`. */
  readonly calls: readonly number[]
  /** Sets the mode of later requests. */
  set(mode: PaymentsMode): void
}

/** The service has a fallback for a payment whose status never changes again. */
const FINAL = { ...PAYMENT, id: 'pay_final', status: 'succeeded' }

/** Starts the upstream `payments`. `set` makes it fail or respond late. */
export async function startPayments(): Promise<Payments> {
  const fake = await startFakePayments()
  const calls: number[] = []
  let mode: PaymentsMode = {}
  fake.respond(async (req, res) => {
    if (req.url === '/payments/pay_1') calls.push(performance.now())
    const payment = req.url === '/payments/pay_final' ? FINAL : PAYMENT
    const { status = 503, share = 0, delayMs = 0 } = mode
    req.resume()
    if (delayMs > 0) await setTimeout(delayMs)
    const isFailure = calls.length % 100 < share * 100
    res.writeHead(isFailure ? status : 200, { 'content-type': 'application/json' })
    res.end(isFailure ? '{}' : JSON.stringify(payment))
  })
  return {
    port: fake.port,
    stop: fake.stop,
    calls,
    set(next) {
      mode = next
    },
  }
}
