import type { Reason } from '../policy.ts'

/** A failure with a reason to publish. The message goes to the log only. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
  readonly reason: Reason

  constructor(reason: Reason, message: string) {
    super(message)
    this.reason = reason
  }
}
