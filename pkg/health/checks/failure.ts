import type { Reason } from '../policy.ts'

/** A failure that knows its published reason; the message is for the log. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
  readonly reason: Reason

  constructor(reason: Reason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}
