import { type Alert, identify } from './alerts.ts'
import { type Decision, decide, limitTimes, type Pending, readName, type State } from './decide.ts'
import { plain } from './markdown.ts'
import type { Rule, Rules } from './rules.ts'

export type ResponderEvent =
  | { readonly type: 'decided'; readonly decision: Decision }
  | { readonly type: 'acted'; readonly pending: Pending }
  | { readonly type: 'failed'; readonly pending: Pending; readonly err: unknown }
  | { readonly type: 'recovered'; readonly pending: Pending; readonly afterMs: number }
  | { readonly type: 'not recovered'; readonly pending: Pending }
  /** The first failure of a query since its last result. */
  | { readonly type: 'query failed'; readonly pending: Pending; readonly err: unknown }
  | { readonly type: 'state not saved'; readonly err: unknown }

export interface ResponderOptions extends Rules {
  readonly dryRun: boolean
  /** Tells whether the kill switch is on. */
  readonly isStopped: () => boolean
  readonly store: { load(): State; save(state: State): Promise<void> }
  /** Performs an action. `access` reads the saved state, and replaces it inside `inTurn`. */
  readonly act: (rule: Rule, target: string, access: StateAccess) => Promise<void>
  /** Ends the temporary changes whose time is over. Called inside `inTurn`. */
  readonly expire: (now: number, access: StateAccess) => Promise<void>
  /** Sends a message to people. @default no messages */
  readonly notify?: ((markdown: string) => void) | undefined
  /** Tells whether a PromQL expression has a result. @default only Alertmanager reports a recovery */
  readonly hasResult?: ((query: string) => Promise<boolean>) | undefined
  readonly now?: () => number
  readonly onEvent: (event: ResponderEvent) => void
}

export interface StateAccess {
  readonly state: () => State
  /** Saves the state. @throws when it cannot be saved; the previous state stays */
  readonly save: (state: State) => Promise<void>
  /** Runs one change of the state at a time. Call `save` only inside it. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>
}

export type Responder = ReturnType<typeof createResponder>

/** The results of the query of a pending action. */
interface Signal {
  /**
   * Consecutive empty results. Undefined before the first result that is not empty: the labels of the alert may be
   * unknown to Prometheus, because `external_labels` are only in the alerts that it sends.
   */
  emptyResults: number | undefined
  isQueryFailing: boolean
}

/** A single empty result may be a gap in the series. */
const EMPTY_RESULTS = 2

/** Turns alerts into actions, follows their recovery, and escalates when the signal does not recover. */
export function createResponder(options: ResponderOptions) {
  const { rules, maxActionsPerHour, dryRun, isStopped, store, act, expire, notify, hasResult, onEvent } = options
  const { now = Date.now } = options
  let latest = now()
  // The clock may have stepped back while the responder was down.
  let state = limitTimes(store.load(), rules, latest)
  /**
   * The state in the file, without the actions whose removal could not be saved. Decisions of a dry run change only
   * `state`.
   */
  let saved = state
  let last: Promise<unknown> = Promise.resolve()
  /** The actions in progress, by the id of their alert. */
  const acting = new Map<string, Promise<void>>()
  /** The signals of the actions that wait for a recovery, by the id of their alert. */
  const signals = new Map<string, Signal>()

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }

  /** Returns the time. Limits the times of the state after the clock has stepped back. Call it inside `inTurn`. */
  function readClock(): number {
    const at = now()
    if (at < latest) {
      state = limitTimes(state, rules, at)
      saved = limitTimes(saved, rules, at)
    }
    latest = at
    return at
  }

  const access: StateAccess = {
    inTurn,
    state: () => saved,
    async save(next) {
      await store.save(next)
      if (!dryRun) state = next
      saved = next
    },
  }

  /**
   * Decides about the alerts. Resolves once the decisions are saved, and then starts the actions.
   *
   * @throws when the state cannot be saved; the responder then acts on none of the alerts
   */
  const receive = (alerts: readonly Alert[]) =>
    inTurn(async (): Promise<readonly Decision[]> => {
      const at = readClock()
      const common = { rules, maxActionsPerHour, now: at, isStopped: isStopped(), dryRun }
      let next = state
      const decisions: Decision[] = []
      for (const alert of alerts) {
        const result = decide({ ...common, alert, state: next })
        decisions.push(result.decision)
        next = result.state
      }
      if (dryRun) state = next
      else if (next !== state) await access.save(next)
      for (const decision of decisions) {
        onEvent({ type: 'decided', decision })
        if (decision.recovered) recover(decision.recovered)
        if (decision.verdict === 'act') start(decision)
      }
      return decisions
    })

  function start({ alert, rule, target }: Decision): void {
    const pending = state.pending.find(({ id }) => id === identify(alert))
    if (rule === undefined || target === undefined || pending === undefined) return
    if (rule.action.type === 'notify') {
      const { summary = '' } = alert.annotations
      notify?.(`**FIRING** ${plain(readName(alert))}\n> ${plain(summary, 500)}`)
      onEvent({ type: 'acted', pending })
    } else {
      acting.set(
        pending.id,
        perform(rule, pending).finally(() => acting.delete(pending.id)),
      )
    }
  }

  async function perform(rule: Rule, pending: Pending): Promise<void> {
    try {
      await act(rule, pending.target, access)
      onEvent({ type: 'acted', pending })
    } catch (err) {
      onEvent({ type: 'failed', pending, err })
      escalate(pending, 'the action failed')
      await settle(pending)
    }
  }

  function escalate({ rule, alert, target }: Pending, reason: string): void {
    notify?.(`**NOT REPAIRED** ${plain(alert)}: ${reason}\n> rule ${rule}, target ${plain(target)}`)
  }

  function recover(pending: Pending): void {
    signals.delete(pending.id)
    onEvent({ type: 'recovered', pending, afterMs: now() - pending.actedAt })
    if (pending.deadline === undefined) notify?.(`**RESOLVED** ${plain(pending.alert)}`)
  }

  /** Removes an action from the state. Resolves with false when another event has removed it first. */
  const settle = ({ id }: Pending): Promise<boolean> =>
    inTurn(async () => {
      const pending = saved.pending.filter((each) => each.id !== id)
      if (pending.length === saved.pending.length) return false
      const next = { ...saved, pending }
      await access.save(next).catch((err: unknown) => {
        onEvent({ type: 'state not saved', err })
        // Keep the removal in memory: otherwise each tick would report the end of this action again on a full disk.
        saved = next
        if (!dryRun) state = next
      })
      return true
    })

  async function follow(pending: Pending): Promise<void> {
    if (pending.deadline === undefined) return
    if (await hasRecovered(pending)) {
      if (await settle(pending)) recover(pending)
    } else if (now() >= pending.deadline && (await settle(pending))) {
      signals.delete(pending.id)
      onEvent({ type: 'not recovered', pending })
      escalate(pending, 'the signal did not recover in time')
    }
  }

  async function hasRecovered(pending: Pending): Promise<boolean> {
    const signal = signals.get(pending.id) ?? { emptyResults: undefined, isQueryFailing: false }
    signals.set(pending.id, signal)
    if (hasResult === undefined) return false
    try {
      if (await hasResult(pending.query)) signal.emptyResults = 0
      else if (signal.emptyResults !== undefined) signal.emptyResults++
      signal.isQueryFailing = false
      return (signal.emptyResults ?? 0) >= EMPTY_RESULTS
    } catch (err) {
      if (!signal.isQueryFailing) onEvent({ type: 'query failed', pending, err })
      signal.isQueryFailing = true
      return false
    }
  }

  return {
    receive,
    /** Follows the actions, and ends the changes whose time is over. Call it every second. Never rejects. */
    async tick(): Promise<void> {
      await inTurn(() => expire(readClock(), access)).catch((err: unknown) => onEvent({ type: 'state not saved', err }))
      // A signal cannot recover because of an action that is still in progress.
      const ended = saved.pending.filter(({ id }) => !acting.has(id))
      // All queries together take one timeout. One after another, they would delay `expire` while Prometheus hangs.
      await Promise.all(ended.map(follow))
    },
    /** Waits for the actions in progress. */
    async stop(): Promise<void> {
      await Promise.all(acting.values())
    },
  }
}
