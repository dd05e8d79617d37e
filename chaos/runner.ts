import { setTimeout } from 'node:timers/promises'
import { type Activity, type Experiment, type Probe, resolveConfiguration, substitute } from './experiment.ts'
import { execute } from './providers.ts'
import { isWithinTolerance, type Output } from './tolerance.ts'

export interface Run {
  readonly name: string
  readonly type: 'action' | 'probe'
  /** Failed when the activity has no output: no response in time, or no such command. */
  readonly status: 'succeeded' | 'failed'
  readonly output?: Output
  readonly error?: string
}

export interface SteadyState {
  readonly isMet: boolean
  /** Ends with the probe that was not met. */
  readonly probes: readonly Run[]
}

/** The result, in the terms of the journal of `chaos run`. */
export interface Journal {
  /** `failed` when the hypothesis did not hold before the method, or when a probe after it had no output. */
  readonly status: 'completed' | 'failed'
  /** True when the hypothesis did not hold after the method. */
  readonly deviated: boolean
  readonly before: SteadyState
  readonly run: readonly Run[]
  readonly after?: SteadyState
  readonly rollbacks: readonly Run[]
}

export interface RunnerOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Called before the first activity of the method. */
  readonly onMethod?: () => void
}

export function createRunner(experiment: Experiment, { env, onMethod }: RunnerOptions) {
  const variables = resolveConfiguration(experiment, env)

  async function perform(activity: Activity | Probe): Promise<Run> {
    const { name, type, provider, pauses = {} } = substitute({ ...activity }, variables)
    if (pauses.before) await setTimeout(Number(pauses.before) * 1_000)
    const run = await execute(provider, env).then(
      (output): Run => ({ name, type, status: 'succeeded', output }),
      (error: Error): Run => ({
        ...{ name, type, status: 'failed' },
        error: `${error.message} ${error.cause ?? ''}`.trim(),
      }),
    )
    if (pauses.after) await setTimeout(Number(pauses.after) * 1_000)
    return run
  }

  async function performAll(activities: readonly Activity[]): Promise<Run[]> {
    const runs: Promise<Run>[] = []
    for (const activity of activities) {
      const run = perform(activity)
      runs.push(run)
      if (!activity.background) await run
    }
    return Promise.all(runs)
  }

  /** Runs the probes of the hypothesis until one is not met. */
  async function checkHypothesis(): Promise<SteadyState> {
    const probes: Run[] = []
    let isMet = true
    for (const probe of experiment['steady-state-hypothesis'].probes) {
      const run = await perform(probe)
      probes.push(run)
      isMet = run.output !== undefined && isWithinTolerance(substitute(probe.tolerance, variables), run.output)
      if (!isMet) break
    }
    return { isMet, probes }
  }

  return {
    checkHypothesis,
    /**
     * Checks the hypothesis, runs the method and checks the hypothesis again. Rollbacks run after every method, as with
     * `chaos run --rollback-strategy=always`.
     */
    async run(): Promise<Journal> {
      const before = await checkHypothesis()
      if (!before.isMet) return { status: 'failed', deviated: false, before, run: [], rollbacks: [] }
      onMethod?.()
      const run = await performAll(experiment.method)
      const after = await checkHypothesis()
      const rollbacks = await performAll(experiment.rollbacks)
      const isComplete = after.isMet || after.probes.every(({ status }) => status === 'succeeded')
      return {
        status: isComplete ? 'completed' : 'failed',
        deviated: !after.isMet,
        before,
        run,
        after,
        rollbacks,
      }
    },
  }
}
