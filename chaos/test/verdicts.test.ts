import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createPrograms } from '../../test/payments/programs.ts'
import { installPythonPackages } from '../../test/support/python-packages.ts'
import { run } from '../../test/support/run.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { conduct } from '../conduct.ts'
import { type Activity, listUnset } from '../experiment.ts'
import { groupByStage, readExperiment, startStageOf } from '../plan.ts'
import { createRunner, type Run } from '../runner.ts'
import { type Part, type Stage, startStage } from '../stage.ts'

/*
 * The runner and the real `chaos run` execute the same experiments on the same stages: with the service, which passes,
 * and with naive programs, which retry without a budget and a circuit breaker.
 */

jest.setTimeout(300_000)
const PATIENCE_MS = 60_000

/** How long to hold the fault. The circuit of payments-out opens after 5 s. */
const holdOf = (name: string) => ({ HOLD_S: name === 'payments-out' ? '5' : '2' })
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

interface RealJournal {
  readonly status: string
  readonly deviated: boolean
  readonly steady_states: { readonly before: { readonly steady_state_met: boolean } }
  readonly run: readonly RealRun[]
  readonly rollbacks: readonly RealRun[]
}

/** Runs the experiment with the real Chaos Toolkit. */
async function runChaosToolkit(file: string, env: Readonly<Record<string, string>>): Promise<RealJournal> {
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

const toRows = (runs: readonly Run[]) => runs.map(({ name, status, output }) => [name, status, output?.status])
const toRealRows = (runs: readonly RealRun[]) =>
  runs.map(({ activity, status, output }) => [activity.name, status, output?.status])

const groups = groupByStage(short).map((group) => ({ names: group.map(({ name }) => name).join(', '), group }))

describe.each(groups)('on the stage of $names', ({ group }) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startStageOf(group)
  })
  afterAll(() => stage?.stop())

  test.each(group)('the hypothesis of $name holds, and chaos run agrees', async ({ name, file, experiment }) => {
    const variables = () => ({ ...holdOf(name), ...stage.variables() })
    const start = () => createRunner(experiment, { env: { ...process.env, ...variables() } })
    const unset = listUnset(experiment, variables())
    if (unset.length > 0) {
      const message = `${name} is not compared, because this machine cannot cause the fault: ${unset.join()} unset\n`
      if (process.env['CI'] === 'true') throw new Error(message)
      process.stderr.write(message)
      return
    }
    const settle = () => until(async () => (await start().checkHypothesis()).isMet, PATIENCE_MS)
    await settle()
    const own = await start().run()
    await settle()
    const real = await runChaosToolkit(file, variables())
    const { status, deviated, before } = own
    expect({ status, deviated, isMet: before.isMet }).toEqual({ status: 'completed', deviated: false, isMet: true })
    expect(real).toMatchObject({ status, deviated, steady_states: { before: { steady_state_met: true } } })
    expect(toRealRows(real.run)).toEqual(toRows(own.run))
    expect(toRealRows(real.rollbacks)).toEqual(toRows(own.rollbacks))
  })
})

test('three experiments are not compared, because their pauses take more than 10 s in each program', () => {
  expect(long.map(({ name }) => name)).toEqual(['clock-back', 'dns-hangs', 'instance-frozen'])
})

describe('on a stage with naive programs', () => {
  const planned = readExperiment('chaos/payments-out.json')
  let stage: Stage
  beforeAll(async () => {
    stage = await startStage({ parts: [startNaive] })
  })
  afterAll(() => stage?.stop())

  test('the hypothesis of payments-out fails, and chaos run agrees', async () => {
    const env = holdOf(planned.name)
    const { verdict, reason, journal } = await conduct(stage, planned.experiment, { env })
    expect(verdict).toBe('failed')
    expect(reason).toContain('calls of the upstream without a success')
    const real = await runChaosToolkit(planned.file, { ...env, ...stage.variables() })
    const { status, deviated, before } = journal
    expect(real).toMatchObject({ status, deviated, steady_states: { before: { steady_state_met: before.isMet } } })
  })
})
