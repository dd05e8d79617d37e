import { createMonitor, type HealthOptions, type Monitor, type WatchedCheck } from './monitor.ts'
import { aggregate, type CheckReport, type History } from './policy.ts'

export interface Snapshot {
  readonly status: 'ok' | 'fail'
  /** Unix seconds. */
  readonly timestamp: number
  readonly checks: Readonly<Record<string, CheckReport>>
  /** The last runs of each check. The JSON response omits them. */
  readonly history: Readonly<Record<string, History>>
}

export type Health = ReturnType<typeof createHealth>

/** Watches dependencies in the background, so a probe only reads memory. */
export function createHealth(options: HealthOptions) {
  const { clock = () => performance.now() } = options
  const monitors = new Map<string, Monitor>()
  let latest: Snapshot | undefined
  let takenAt = 0

  function forgetSnapshot(): void {
    latest = undefined
  }

  return {
    /** Adds a check. Call it before `start`. */
    watch(check: WatchedCheck) {
      monitors.set(check.name, createMonitor(check, options, forgetSnapshot))
      forgetSnapshot()
    },
    start() {
      for (const monitor of monitors.values()) monitor.start()
    },
    stop() {
      for (const monitor of monitors.values()) monitor.stop()
    },
    /** Returns the current state without waiting. The object stays the same until a run ends or a second has passed. */
    snapshot(): Snapshot {
      // A result becomes stale without an event, so a snapshot is reused for at most one second.
      if (latest !== undefined && clock() - takenAt < 1_000) return latest
      takenAt = clock()
      const checks: Record<string, CheckReport> = {}
      const history: Record<string, History> = {}
      for (const [name, monitor] of monitors) {
        checks[name] = monitor.report()
        history[name] = monitor.history()
      }
      latest = { status: aggregate(Object.values(checks)), timestamp: Math.floor(Date.now() / 1000), checks, history }
      return latest
    },
  }
}
