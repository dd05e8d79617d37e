import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createPrograms } from '../../test/payments/programs.ts'
import { installPythonPackages } from '../../test/support/install.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { type Activity, listUnset } from '../experiment.ts'
import { groupByStage, type Planned, readExperiment, startStageOf } from '../plan.ts'
import { createRunner } from '../runner.ts'
import { type Env, type Part, type Stage, startStage } from '../stage.ts'

/*
 * The runner and the real `chaos run` execute the same experiments on the same stages: with the service, which passes,
 * and with naive programs, which retry without a budget and a circuit breaker.
 */

jest.setTimeout(300_000)
const PATIENCE_MS = 120_000
const POLL_MS = 200

/** How long to hold the fault. The probes look 3 s back, and the circuit in payments-out needs 5 s to open. */
const holdOf = (name: string) => ({ HOLD_S: name === 'payments-out' ? '8' : '4' })
/** Each program waits for the pauses. The experiments with longer pauses would double the time of this file. */
const MAX_PAUSES_S = 10

const pausesS = (activities: readonly Activity[]) =>
  activities.reduce((sum, { pauses }) => sum + (Number(pauses?.after) || 0) + (Number(pauses?.before) || 0), 0)
const [short = [], long = []] = [true, false].map((isShort) =>
  globSync('chaos/*.json')
    .sort()
    .map((file) => readExperiment(file))
    .filter(({ experiment }) => pausesS(experiment.method) <= MAX_PAUSES_S === isShort),
)

/** Starts three naive programs instead of the service. */
async function startNaive(): Promise<Part> {
  const programs = createPrograms()
  return {
    async startInstances({ UPSTREAMS = '' }) {
      const upstream = Number(UPSTREAMS.split(':').at(-1))
      const started = await Promise.all([1, 2, 3].map(() => programs.startNaive([upstream])))
      return started.map(({ port, pid, kill }) => ({
        address: `127.0.0.1:${port}`,
        pid: () => pid,
        lines: () => [],
        kill,
        start: () => Promise.reject(new Error('a naive program does not start again')),
      }))
    },
    stop: () => programs[Symbol.asyncDispose](),
  }
}

interface RealRun {
  readonly activity: { readonly name: string }
  readonly status: string
  readonly output: { readonly status?: number } | null
}

interface RealSteadyState {
  readonly steady_state_met: boolean
  readonly probes: readonly RealRun[]
}

interface RealJournal {
  readonly status: string
  readonly deviated: boolean
  readonly steady_states: { readonly before: RealSteadyState; readonly after?: RealSteadyState }
  readonly run: readonly RealRun[]
  readonly rollbacks: readonly RealRun[]
}

/** Runs the experiment with the real Chaos Toolkit. */
async function runChaosToolkit(file: string, env: Env): Promise<RealJournal> {
  const packages = await installPythonPackages('chaos/test/chaostoolkit-requirements.txt')
  const journal = join(temporaryDirectory('chaos-toolkit'), 'journal.json')
  const options = ['--rollback-strategy=always', '--journal-path', journal]
  const { stdout, stderr } = await run(
    'python3',
    ['-m', 'chaostoolkit', '--no-version-check', '--no-log-file', 'run', ...options, file],
    { env: { ...env, PYTHONPATH: packages, NO_PROXY: '127.0.0.1' } },
  )
  try {
    return JSON.parse(readFileSync(journal, 'utf8'))
  } catch {
    throw new Error(`chaos run wrote no journal:\n${stdout}\n${stderr}`)
  }
}

/** The comparable part of a journal. */
interface Summary {
  readonly status: string
  readonly deviated: boolean
  readonly isMetBefore: boolean
  /** Name, status, and status of the output of each activity. */
  readonly activities: readonly (readonly unknown[])[]
  /** Name of the last probe that ran: the failed probe, if a probe has failed. */
  readonly last: string | undefined
}

async function runOwn({ experiment }: Planned, env: Env): Promise<Summary> {
  const { status, deviated, before, after, run, rollbacks } = await createRunner(experiment, {
    env: { ...process.env, ...env },
  }).run()
  const activities = [...run, ...rollbacks].map(({ name, status, output }) => [name, status, output?.status])
  return { status, deviated, isMetBefore: before.isMet, activities, last: (after ?? before).probes.at(-1)?.name }
}

async function runReal({ file }: Planned, env: Env): Promise<Summary> {
  const { status, deviated, steady_states, run, rollbacks } = await runChaosToolkit(file, env)
  const { before, after } = steady_states
  const activities = [...run, ...rollbacks].map(({ activity, status, output }) => [
    activity.name,
    status,
    output?.status,
  ])
  const last = (after ?? before).probes.at(-1)?.activity.name
  return { status, deviated, isMetBefore: before.steady_state_met, activities, last }
}

/**
 * Runs an experiment with both programs. Repeats a run whose hypothesis does not hold before the method, because such a
 * run injects no fault. The effects of the last fault may be the reason.
 */
async function compare(stage: Stage, planned: Planned) {
  async function injectFault(run: typeof runOwn): Promise<Summary> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const summary = await run(planned, { ...holdOf(planned.name), ...stage.variables() })
      if (summary.isMetBefore) return summary
      if (performance.now() > deadline) throw new Error(`the hypothesis never held before the method: ${summary.last}`)
      await setTimeout(POLL_MS)
    }
  }
  return { own: await injectFault(runOwn), real: await injectFault(runReal) }
}

const groups = groupByStage(short).map((group) => ({ names: group.map(({ name }) => name).join(', '), group }))

describe.each(groups)('on the stage of $names', ({ group }) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startStageOf(group)
  })
  afterAll(() => stage?.stop())

  // The test of the experiments expects that each of them passes.
  test.each(group)('the runner and chaos run agree on $name', async (planned) => {
    const unset = listUnset(planned.experiment, { ...holdOf(planned.name), ...stage.variables() })
    if (unset.length > 0) {
      const message = `${planned.name} is not compared, because this machine cannot cause the fault: ${unset.join()} unset\n`
      if (process.env['CI'] === 'true') throw new Error(message)
      process.stderr.write(message)
      return
    }
    const { own, real } = await compare(stage, planned)
    expect(real).toEqual(own)
  })
})

test('three experiments are not compared, because their pauses take more than 10 s in each program', () => {
  expect(long.map(({ name }) => name)).toEqual(['clock-back', 'dns-hangs', 'instance-frozen'])
})

describe('on a stage with naive programs', () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startStage({ parts: [startNaive] })
  })
  afterAll(() => stage?.stop())

  test('the runner and chaos run agree that the hypothesis of payments-out fails', async () => {
    const { own, real } = await compare(stage, readExperiment('chaos/payments-out.json'))
    expect(own).toMatchObject({ status: 'completed', deviated: true, isMetBefore: true })
    expect(own.last).toContain('calls of the upstream without a success')
    expect(real).toEqual(own)
  })
})
