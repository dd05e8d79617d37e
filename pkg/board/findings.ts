import type { RequestSummary } from './requests.ts'
import type { Report } from './statistics.ts'

/** A sentence about a problem, and the request that shows it. */
export interface Finding {
  readonly text: string
  readonly requestId?: string
}

export interface Findable {
  readonly phase: string
  readonly checks: Readonly<Record<string, { readonly status: string; readonly reason?: string }>>
  readonly routes: readonly Report[]
  readonly slowest: readonly RequestSummary[]
  readonly failed: readonly RequestSummary[]
  /** Milliseconds since the epoch. */
  readonly now: number
}

/** Highest normal share of failed requests, as in the alert. */
const MAX_FAILED = 0.005
const RECENT_MS = 60_000
/** A request is slow when it takes at least this time and at least SLOW_RATIO times the median of its route. */
const SLOW_MS = 100
const SLOW_RATIO = 4

/** Lists the problems of the last minute with their causes, the most severe first. */
export function listFindings({ phase, checks, routes, slowest, failed, now }: Findable): Finding[] {
  const findings: Finding[] = phase === 'serving' ? [] : [{ text: `The service is ${phase}.` }]
  for (const [name, { status, reason }] of Object.entries(checks)) {
    if (status !== 'ok') findings.push({ text: `The check ${name} fails${reason === undefined ? '' : `: ${reason}`}.` })
  }
  const isRecent = ({ startedAt, durationMs }: RequestSummary) => startedAt + durationMs > now - RECENT_MS
  for (const route of routes) {
    const inRoute = (each: RequestSummary) => each.name === route.name && isRecent(each)
    const failure = failed.find(inRoute)
    if (failure !== undefined && route.now.failed > MAX_FAILED) {
      const share = `${Math.round(route.now.failed * 1000) / 10} %`
      const reason = failure.error ?? `status ${failure.status}`
      findings.push({
        text: `${route.name} fails for ${share} of the requests: ${reason}`,
        requestId: failure.requestId,
      })
    }
    const slow = slowest.find(inRoute)
    if (slow !== undefined && slow.durationMs >= Math.max(SLOW_MS, SLOW_RATIO * (route.recent.p50 ?? 0))) {
      findings.push({ text: `${route.name} is slow: ${slow.cause}`, requestId: slow.requestId })
    }
  }
  return findings
}
