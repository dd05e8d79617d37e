import { type Alert, alertQuery, identify } from './alerts.ts'
import { type Action, MAX_SECONDS, type Rule } from './rules.ts'
import type { Override } from './settings.ts'

/** An action whose signal has not recovered yet. */
export interface Pending {
  readonly id: string
  readonly rule: string
  readonly alert: string
  readonly fingerprint: string
  readonly target: string
  /** Milliseconds since the epoch. */
  readonly actedAt: number
  /** The responder escalates at this time. Absent for a notification, which is no repair. */
  readonly deadline?: number | undefined
  readonly query: string
}

/** Everything that must survive a restart. All times are in milliseconds since the epoch. */
export interface State {
  /** Occurrences of alerts, with the time of their action. */
  readonly acted: Readonly<Record<string, number>>
  /** The end of each cool-down. */
  readonly cooldowns: Readonly<Record<string, number>>
  /** The times of the actions of the last hour. */
  readonly actions: readonly number[]
  readonly overrides: readonly Override[]
  readonly pending: readonly Pending[]
}

export const EMPTY_STATE: State = { acted: {}, cooldowns: {}, actions: [], overrides: [], pending: [] }

export type Verdict =
  | 'act'
  | 'dry run'
  | 'no rule'
  | 'duplicate'
  | 'stopped'
  | 'invalid target'
  | 'cooling down'
  | 'limit reached'
  | 'resolved'

export interface Decision {
  readonly verdict: Verdict
  readonly alert: Alert
  readonly rule?: Rule
  readonly target?: string
  /** The action that recovers with this alert. */
  readonly recovered?: Pending
}

export interface DecideOptions {
  readonly alert: Alert
  readonly rules: readonly Rule[]
  readonly maxActionsPerHour: number
  readonly state: State
  readonly now: number
  /** True while the kill switch is on. */
  readonly isStopped: boolean
  readonly dryRun: boolean
}

const HOUR_MS = 3_600_000
/** Alertmanager repeats an alert while it fires, so the responder must remember the alert for a long time. */
const REMEMBER_MS = 30 * 24 * HOUR_MS
const MAX_REMEMBERED = 10_000
/** Maximum number of notifications that wait for a recovery. The responder forgets the oldest without a message. */
const MAX_NOTIFICATIONS = 1_000

/**
 * Limits each time of the state to the latest time that could be set now. Otherwise, a clock that has stepped back
 * would prolong cool-downs, changes of settings and deadlines by the step.
 */
export function limitTimes(state: State, rules: readonly Rule[], now: number): State {
  const findByName = (name: string) => rules.find((rule) => rule.name === name)
  const limit = (at: number, seconds = MAX_SECONDS) => Math.min(at, now + seconds * 1e3)
  return {
    ...state,
    acted: Object.fromEntries(Object.entries(state.acted).map(([key, at]) => [key, limit(at, 0)])),
    cooldowns: Object.fromEntries(
      Object.entries(state.cooldowns).map(([key, at]) => [
        key,
        limit(at, findByName(key.split(' ', 1)[0] ?? '')?.cooldownSeconds),
      ]),
    ),
    actions: state.actions.map((at) => limit(at, 0)),
    overrides: state.overrides.map((each) => ({ ...each, until: limit(each.until, each.seconds) })),
    pending: state.pending.map((each) => ({
      ...each,
      actedAt: limit(each.actedAt, 0),
      ...(each.deadline !== undefined && { deadline: limit(each.deadline, findByName(each.rule)?.recoverySeconds) }),
    })),
  }
}

/** Decides about one alert. Returns the decision and the state after it. Performs no action. */
export function decide(options: DecideOptions): { readonly decision: Decision; readonly state: State } {
  const { alert, rules, maxActionsPerHour, state, now, isStopped, dryRun } = options
  if (alert.status === 'resolved') return resolve(alert, state)
  const rule = findRule(rules, alert.labels)
  const skip = (verdict: Verdict) => ({ decision: { verdict, alert, ...(rule && { rule }) }, state })
  if (rule === undefined) return skip('no rule')
  if (Object.hasOwn(state.acted, identify(alert))) return skip('duplicate')
  if (isStopped) return skip('stopped')
  const target = findTarget(rule.action, alert.labels)
  if (target === undefined) return skip('invalid target')
  const key = `${rule.name} ${target}`
  if ((state.cooldowns[key] ?? 0) > now) return skip('cooling down')
  const actions = state.actions.filter((at) => at > now - HOUR_MS)
  // A notification makes no change, and the robot has a limit of its own.
  const isLimited = rule.action.type !== 'notify'
  if (isLimited && actions.length >= maxActionsPerHour) return skip('limit reached')
  const pending: Pending = {
    id: identify(alert),
    rule: rule.name,
    alert: readName(alert),
    fingerprint: alert.fingerprint,
    target,
    actedAt: now,
    ...(isLimited && { deadline: now + rule.recoverySeconds * 1e3 }),
    query: rule.query ?? alertQuery(alert.labels),
  }
  return {
    decision: { verdict: dryRun ? 'dry run' : 'act', alert, rule, target },
    state: {
      ...state,
      acted: { ...keepNewest(state.acted, now - REMEMBER_MS), [identify(alert)]: now },
      cooldowns: { ...keepAfter(state.cooldowns, now), [key]: now + rule.cooldownSeconds * 1e3 },
      actions: isLimited ? [...actions, now] : actions,
      pending: dryRun ? state.pending : keepPending([...state.pending, pending], now - REMEMBER_MS),
    },
  }
}

/** The name of an alert, short enough for a log line. */
export const readName = ({ labels }: Pick<Alert, 'labels'>) => (labels['alertname'] ?? '').slice(0, 200)

function resolve(alert: Alert, state: State) {
  const recovered = state.pending.find(({ id }) => id === identify(alert))
  if (recovered === undefined) return { decision: { verdict: 'resolved' as const, alert }, state }
  const pending = state.pending.filter((each) => each !== recovered)
  return { decision: { verdict: 'resolved' as const, alert, recovered }, state: { ...state, pending } }
}

/** Returns the first rule whose labels all match. */
const findRule = (rules: readonly Rule[], labels: Readonly<Record<string, string>>) =>
  rules.find(({ match }) => Object.entries(match).every(([name, value]) => labels[name] === value))

/** Returns the target of an action, or undefined when the label that names it is missing or invalid. */
export function findTarget(action: Action, labels: Readonly<Record<string, string>>): string | undefined {
  switch (action.type) {
    case 'open_breaker':
      return action.upstream
    case 'feature_off':
      return action.feature
    case 'rate_limit':
      return String(action.perMinute)
    case 'scale':
      return action.kubectl ? `${action.kubectl.namespace}/${action.kubectl.deployment}` : `${action.systemd?.unit}@`
    case 'notify':
      return 'wecom'
    case 'restart_instance': {
      // A label may contain any text, and the target becomes an argument of a command.
      if (action.kubectl) return /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.exec(labels['pod'] ?? '')?.[0]
      const [, port] = /^[A-Za-z0-9.:[\]-]{1,255}:([1-9]\d{0,4})$/.exec(labels['instance'] ?? '') ?? []
      return Number(port) <= 65_535 ? `${action.systemd?.unit}@${port}` : undefined
    }
  }
}

function keepPending(pending: readonly Pending[], after: number): Pending[] {
  const recent = pending.filter(({ actedAt }) => actedAt > after)
  // The hourly limit and the deadlines limit the repairs.
  const isRepair = ({ deadline }: Pending) => deadline !== undefined
  const notifications = recent.filter((each) => !isRepair(each)).slice(-MAX_NOTIFICATIONS)
  return [...recent.filter(isRepair), ...notifications]
}

const keepAfter = (times: Readonly<Record<string, number>>, after: number) =>
  Object.fromEntries(Object.entries(times).filter(([, at]) => at > after))

const keepNewest = (times: Readonly<Record<string, number>>, after: number) =>
  Object.fromEntries(
    Object.entries(keepAfter(times, after))
      .toSorted(([, a], [, b]) => b - a)
      .slice(0, MAX_REMEMBERED - 1),
  )
