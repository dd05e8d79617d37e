import { setTimeout } from 'node:timers/promises'
import type { Experiment } from './experiment.ts'
import { errorShare, isError } from './load.ts'
import { createRunner, type Journal } from './runner.ts'
import type { Signal } from './signals.ts'
import type { Stage } from './stage.ts'
import type { Output } from './tolerance.ts'

/** `passed`: the hypothesis held during the fault, and again after it. */
export type Verdict = 'passed' | 'failed' | 'not recovered' | 'invalid'

/** One second of the load. */
export interface Second {
  /** Seconds since the start of the method. */
  readonly at: number
  /** Share of failed requests, from 0 to 1. */
  readonly errors: number
}

export interface Result {
  readonly verdict: Verdict
  /** The probe that was not met, or the action that failed. */
  readonly reason?: string
  /** Times are milliseconds since the start of the method. */
  readonly faultEndedAt: number
  /** The first warning or error in the logs of the service and the proxy. */
  readonly detected?: { readonly at: number; readonly signal: Signal }
  /** Time from the end of the rollbacks until the hypothesis held again. */
  readonly recoveredAfterMs?: number
  readonly requests: number
  readonly failures: number
  readonly seconds: readonly Second[]
}

export interface ConductOptions {
  /** Other variables of the experiments, such as HOLD_S. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Matches the warning or error that shows the fault. @default one that was not in the logs before the fault */
  readonly signal?: RegExp
}

const POLL_MS = 200
/** Longest time until the hypothesis holds before the experiment, in milliseconds. */
const SETTLE_MS = 30_000
/** Longest time until the hypothesis holds again after the rollbacks, in milliseconds. */
const RECOVERY_MS = 60_000

/**
 * Time before the experiment, in milliseconds. A message that the logs already have in this time is not a signal of the
 * fault.
 */
const LISTEN_MS = 2_000

/** Returns why an action failed. Without this check, as in the Chaos Toolkit, the verdict would ignore it. */
function findFailedAction({ run, rollbacks }: Journal): string | undefined {
  const failed = [...run, ...rollbacks].find(
    ({ type, output, error }) => type === 'action' && (error !== undefined || (output && isFailure(output))),
  )
  if (failed === undefined) return
  const { name, error, output } = failed
  return `${name}: ${error ?? `status ${output?.status} ${output?.stderr ?? ''}`.trim()}`
}

/** An exit code other than 0 is a failure, such as 127 for an unknown command. So is an HTTP status of 400 or above. */
const isFailure = ({ status, stdout }: Output) => (stdout === undefined ? status >= 400 : status !== 0)

/** @param hasRecovered whether the hypothesis held again after the rollbacks */
export function judge(journal: Journal, hasRecovered: boolean): Pick<Result, 'verdict' | 'reason'> {
  const unmet = (probes: Journal['before']['probes']) => {
    const { name, output, error } = probes.at(-1) ?? { name: 'no probe' }
    const { status, body, stdout } = output ?? {}
    return `${name}: ${error ?? [status, JSON.stringify(body ?? stdout)?.slice(0, 200)].join(' ')}`
  }
  if (!journal.before.isMet) return { verdict: 'invalid', reason: `before the method: ${unmet(journal.before.probes)}` }
  const failedAction = findFailedAction(journal)
  if (failedAction !== undefined) return { verdict: 'invalid', reason: failedAction }
  if (journal.after && !journal.after.isMet) return { verdict: 'failed', reason: unmet(journal.after.probes) }
  if (!hasRecovered) return { verdict: 'not recovered', reason: 'the hypothesis did not hold after the rollbacks' }
  return { verdict: 'passed' }
}

/** Runs an experiment on the stage, and measures when the fault was visible and when the service had recovered. */
export async function conduct(
  stage: Stage,
  experiment: Experiment,
  { env = {}, signal: expected }: ConductOptions,
): Promise<Result> {
  let startedAt = performance.now()
  stage.beginExperiment()
  const runner = createRunner(experiment, {
    env: { ...env, ...stage.variables() },
    onMethod: () => {
      startedAt = performance.now()
    },
  })

  /** Checks the hypothesis until it holds, at least once. Resolves with false after the time. */
  async function holdsWithin(ms: number): Promise<boolean> {
    const deadline = performance.now() + ms
    while (!(await runner.checkHypothesis()).isMet) {
      if (performance.now() > deadline) return false
      await setTimeout(POLL_MS)
    }
    return true
  }

  await holdsWithin(SETTLE_MS)
  const usual = stage.signals.length
  await setTimeout(LISTEN_MS)
  const journal = await runner.run()
  const rolledBackAt = performance.now()
  const hasRecovered = await holdsWithin(journal.before.isMet ? RECOVERY_MS : 0)
  const endedAt = performance.now()
  const later = stage.signals.slice(usual)
  const known = new Set(later.filter(({ at }) => at < startedAt).map(({ text }) => text))
  const shows = (text: string) => (expected ? expected.test(text) : !known.has(text))
  const signal = later.find(({ at, text }) => at >= startedAt && shows(text))
  const requests = stage.load.select({ since: startedAt, until: endedAt })
  const seconds = Array.from({ length: Math.ceil((endedAt - startedAt) / 1_000) }, (_, at): Second => {
    const since = startedAt + 1_000 * at
    return { at, errors: errorShare(stage.load.select({ since, until: since + 1_000 })) }
  })
  return {
    ...judge(journal, hasRecovered),
    faultEndedAt: rolledBackAt - startedAt,
    ...(signal && { detected: { at: signal.at - startedAt, signal } }),
    ...(hasRecovered && { recoveredAfterMs: endedAt - rolledBackAt }),
    requests: requests.length,
    failures: requests.filter(isError).length,
    seconds,
  }
}
