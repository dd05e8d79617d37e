import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { createPrograms } from '../../test/payments/programs.ts'
import { installPythonPackages } from '../../test/support/python-packages.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { conduct, type Result } from '../conduct.ts'
import { parseExperiment } from '../experiment.ts'
import { type Part, type Stage, type StageOptions, startStage } from '../stage.ts'

/*
 * The runner and the real `chaos run` execute the same experiment on the same stage: with the service, which passes, and
 * with naive programs, which retry without a budget and a circuit breaker.
 */

jest.setTimeout(300_000)

const FILE = 'chaos/payments-out.json'
const experiment = parseExperiment(readFileSync(FILE, 'utf8'), FILE)
const HOLD = { HOLD_S: '5' }

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

interface RealJournal {
  readonly status: string
  readonly deviated: boolean
  readonly steady_states: { readonly before: { readonly steady_state_met: boolean } }
}

/** Runs the experiment with the real Chaos Toolkit. */
async function runChaosToolkit(stage: Stage): Promise<RealJournal> {
  const packages = await installPythonPackages('chaos/test/chaostoolkit-requirements.txt')
  const journal = join(temporaryDirectory('chaos-toolkit'), 'journal.json')
  const options = [
    '--no-version-check',
    '--no-log-file',
    'run',
    '--rollback-strategy=always',
    '--journal-path',
    journal,
  ]
  const { stdout, stderr } = await run('python3', ['-m', 'chaostoolkit', ...options, FILE], {
    env: { ...stage.variables(), ...HOLD, PYTHONPATH: packages, NO_PROXY: '127.0.0.1' },
  })
  try {
    return JSON.parse(readFileSync(journal, 'utf8'))
  } catch {
    throw new Error(`chaos run wrote no journal:\n${stdout}\n${stderr}`)
  }
}

describe.each<{ name: string; options: StageOptions; verdict: Result['verdict']; reason: unknown }>([
  { name: 'the service', options: {}, verdict: 'passed', reason: undefined },
  {
    name: 'naive programs',
    options: { parts: [startNaive] },
    verdict: 'failed',
    reason: expect.stringContaining('calls of the upstream without a success'),
  },
])('$name', ({ options, verdict, reason }) => {
  let stage: Stage
  beforeAll(async () => {
    stage = await startStage(options)
  })
  afterAll(() => stage?.stop())

  test(`the verdict of the experiment is: ${verdict}; and chaos run agrees`, async () => {
    const result = await conduct(stage, experiment, { env: HOLD })
    expect([result.verdict, result.reason]).toEqual([verdict, reason])
    const real = await runChaosToolkit(stage)
    const { status, deviated, before } = result.journal
    expect(real).toMatchObject({ status, deviated, steady_states: { before: { steady_state_met: before.isMet } } })
  })
})
