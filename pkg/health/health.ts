import { type Check, createMonitor, type Monitor, type MonitorSettings, monotonicMs } from './monitor.ts'
import { aggregate, type CheckReport, type History, type Reason, report } from './policy.ts'

export interface HealthOptions {
  /** Settings of every check, read before each run. @default every 2_000 ms for 1_000 ms, fall 2, rise 1 */
  readonly settings?: () => MonitorSettings
  /**
   * Called when the first run of a check ends, when its status changes, and when a failing check reports a new reason.
   * `error` is the cause of a failure.
   */
  readonly onEvent?: (event: HealthEvent) => void
  /** Milliseconds since the epoch, for published times. */
  readonly now?: () => number
  /** Monotonic clock in milliseconds, for durations. */
  readonly clock?: () => number
}

export interface WatchedCheck {
  readonly name: string
  readonly check: Check
  /** A critical check makes the aggregate fail. Evaluated for each snapshot. @default () => true */
  readonly critical?: () => boolean
  readonly onEvent?: (event: HealthEvent) => void
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
  /** The last runs of each check. The JSON response omits them. */
  readonly history?: Readonly<Record<string, History>>
}

export interface Health {
  /** Adds a check. Call it before `start`. */
  watch(check: WatchedCheck): void
  start(): void
  stop(): void
  /** Returns the current state without waiting. The object stays the same until a run ends or a second has passed. */
  snapshot(): Snapshot
}

const DEFAULTS: MonitorSettings = { intervalMs: 2_000, timeoutMs: 1_000, fall: 2, rise: 1 }

/** Watches dependencies in the background, so a probe only reads memory. */
export function createHealth(options: HealthOptions): Health {
  const { settings = () => DEFAULTS, now = Date.now, clock = monotonicMs, onEvent } = options
  const monitors = new Map<string, { monitor: Monitor; critical: () => boolean }>()
  let latest: Snapshot | undefined
  let takenAt = 0

  return {
    watch({ name, check, critical = () => true, onEvent: onOwnEvent }) {
      /** The reasons of the current failure. */
      const reported = new Set<Reason>()
      const monitor = createMonitor({
        check,
        settings,
        now,
        clock,
        onOutcome({ status, reason }, previous, error) {
          latest = undefined
          if (status === 'ok') {
            reported.clear()
            if (previous.status === 'ok') return
          } else {
            if (reported.has(reason)) return
            reported.add(reason)
          }
          const event = { name, status, critical: critical(), ...(status === 'fail' && { reason, error }) }
          onEvent?.(event)
          onOwnEvent?.(event)
        },
      })
      monitors.set(name, { monitor, critical })
      latest = undefined
    },
    start() {
      for (const { monitor } of monitors.values()) monitor.start()
    },
    stop() {
      for (const { monitor } of monitors.values()) monitor.stop()
    },
    snapshot() {
      // A result becomes stale without an event, so a snapshot is reused for at most one second.
      if (latest !== undefined && clock() - takenAt < 1_000) return latest
      takenAt = clock()
      const checks: Record<string, CheckReport> = {}
      const history: Record<string, History> = {}
      for (const [name, { monitor, critical }] of monitors) {
        checks[name] = report(monitor.state(), critical(), monitor.isStale())
        history[name] = monitor.history()
      }
      latest = { status: aggregate(Object.values(checks)), timestamp: Math.floor(now() / 1000), checks, history }
      return latest
    },
  }
}
