import { withTimeout } from '../with-timeout.ts'

/** The outcome of a claim: the number of the new run, or the time until the job is available. */
export type Claim = { readonly run: number } | { readonly availableInMs: number }

/** Leases that all instances share. The clock of the store decides when a lease ends. Durations are in milliseconds. */
export interface JobLeases {
  /** Takes the lease of an available job. Each claim has a higher `run` than the claims before it. */
  claim(job: string, leaseMs: number): Promise<Claim>
  /** Extends the lease of a run. Resolves with false when another run has taken the lease. */
  renew(job: string, run: number, leaseMs: number): Promise<boolean>
  /** Ends the lease of a run, if the run still holds it. The job is available again after `afterMs`. */
  release(job: string, run: number, afterMs: number): Promise<void>
}

export interface LeaseOptions {
  readonly leases: JobLeases
  readonly job: string
  readonly run: number
  readonly leaseMs: number
  /** Time when the claim was sent, which is before the lease began. */
  readonly claimedAt: number
  readonly clock: () => number
  /** Called once, before the store may give the lease to another run. */
  readonly onLost: (cause: unknown) => void
}

/**
 * Renews a lease three times per `leaseMs`. A lease counts as lost at nine tenths of `leaseMs` after the last
 * successful renewal was sent. The store ends it later, so no other run has started by then.
 *
 * @returns a function that ends the renewals
 */
export function keepLease({ leases, job, run, leaseMs, claimedAt, clock, onLost }: LeaseOptions): () => void {
  let timer: NodeJS.Timeout
  let expiry: NodeJS.Timeout
  let isEnded = false
  let lastError: unknown

  function end(): void {
    isEnded = true
    clearTimeout(timer)
    clearTimeout(expiry)
  }

  function lose(cause: unknown): void {
    if (isEnded) return
    end()
    onLost(cause)
  }

  function extend(sentAt: number): void {
    clearTimeout(expiry)
    expiry = setTimeout(() => lose(lastError), Math.max(0, sentAt + leaseMs * 0.9 - clock()))
  }

  async function renew(): Promise<void> {
    const sentAt = clock()
    try {
      const isHeld = await withTimeout(leases.renew(job, run, leaseMs), leaseMs / 3)
      if (isEnded) return
      if (!isHeld) return lose(new Error('another run has taken the lease'))
      extend(sentAt)
    } catch (error) {
      lastError = error
    }
    if (!isEnded) timer = setTimeout(renew, Math.max(0, sentAt + leaseMs / 3 - clock()))
  }

  extend(claimedAt)
  timer = setTimeout(renew, leaseMs / 3)
  return end
}
