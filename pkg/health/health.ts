import { type Check, createMonitor, type Monitor } from './monitor.ts'
import { aggregate, type CheckReport, type Reason, report, type Thresholds } from './policy.ts'

export interface HealthOptions extends Partial<Thresholds> {
  readonly checks: readonly {
    readonly name: string
    readonly check: Check
    /** Whether its failure makes the whole `fail`. @default true */
    readonly critical?: boolean
  }[]
  /** From the start of one run of a check to the next, in milliseconds. @default 2_000 */
  readonly intervalMs?: number
  /** Longest run of a check, in milliseconds. @default 1_000 */
  readonly timeoutMs?: number
  /** A check changed its status, or its first run ended. `error` is the cause of a failure. */
  readonly onEvent?: (event: HealthEvent) => void
  readonly now?: () => number
}

export interface HealthEvent {
  readonly name: string
  readonly status: 'ok' | 'fail'
  readonly critical: boolean
  readonly reason?: Reason
  readonly error?: unknown
}

export interface Snapshot {
  readonly status: 'ok' | 'fail'
  /** Unix seconds. */
  readonly timestamp: number
  readonly checks: Readonly<Record<string, CheckReport>>
}

export interface Health {
  start(): void
  stop(): void
  /** What the monitors know now: the same object until a run ends or a second begins. Never waits. */
  snapshot(): Snapshot
}

/** Watches dependencies in the background, so that a probe only reads. */
export function createHealth(options: HealthOptions): Health {
  const { intervalMs = 2_000, timeoutMs = 1_000, fall = 2, rise = 1, now = Date.now, onEvent } = options
  // Two runs that were due and did not report: the process was blocked or suspended.
  const staleAfterMs = 2 * (intervalMs + timeoutMs) + 1_000
  const monitors = new Map<string, { monitor: Monitor; critical: boolean }>()
  let latest: Snapshot | undefined
  let second = 0

  for (const { name, check, critical = true } of options.checks) {
    const monitor = createMonitor({
      check,
      intervalMs,
      timeoutMs,
      fall,
      rise,
      now,
      onOutcome({ status, reason }, previous, error) {
        latest = undefined
        if (status === previous.status && previous.at !== 0) return
        onEvent?.({ name, status, critical, ...(status === 'fail' && { reason, error }) })
      },
    })
    monitors.set(name, { monitor, critical })
  }

  return {
    start() {
      for (const { monitor } of monitors.values()) monitor.start()
    },
    stop() {
      for (const { monitor } of monitors.values()) monitor.stop()
    },
    snapshot() {
      const time = now()
      // A result goes stale by the clock alone, so no snapshot outlives its second.
      if (latest !== undefined && second === Math.floor(time / 1000)) return latest
      second = Math.floor(time / 1000)
      const checks: Record<string, CheckReport> = {}
      for (const [name, { monitor, critical }] of monitors) {
        checks[name] = report(monitor.state(), critical, time, staleAfterMs)
      }
      latest = { status: aggregate(Object.values(checks)), timestamp: second, checks }
      return latest
    },
  }
}
