import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, test } from '@jest/globals'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { parseExperiment } from './experiment.ts'
import { createRunner } from './runner.ts'

let directory: string
beforeEach(() => {
  directory = temporaryDirectory('runner')
})

const log = () => (existsSync(join(directory, 'log')) ? readFileSync(join(directory, 'log'), 'utf8') : '')

const shell = (name: string, script: string) => ({
  type: 'action',
  name,
  provider: { type: 'process', path: 'sh', arguments: ['-c', `cd "$DIRECTORY"; ${script}`] } as object,
})

/** The hypothesis holds while the file `broken` does not exist. */
function run(method: readonly object[], probe: object = shell('', '! test -e broken').provider) {
  const experiment = {
    version: '1.0.0',
    title: 'a file',
    description: 'none',
    'steady-state-hypothesis': {
      title: 'it is not broken',
      probes: [{ type: 'probe', name: 'not broken', tolerance: 0, provider: probe }],
    },
    method,
    rollbacks: [shell('mend', 'rm -f broken; echo mended >>log')],
  }
  const env = { ...process.env, DIRECTORY: directory }
  return createRunner(parseExperiment(JSON.stringify(experiment), 'x.json'), { env }).run()
}

test('a hypothesis that holds completes the experiment, and the rollbacks run', async () => {
  const journal = await run([shell('work', 'echo worked >>log')])
  expect(journal).toMatchObject({ status: 'completed', deviated: false, after: { isMet: true } })
  expect(log()).toBe('worked\nmended\n')
})

test('a hypothesis that does not hold after the method is a deviation, and the rollbacks run', async () => {
  const journal = await run([shell('break', 'touch broken')])
  expect(journal).toMatchObject({ status: 'completed', deviated: true, after: { isMet: false } })
  expect(log()).toBe('mended\n')
})

test('a hypothesis that does not hold before the method ends the experiment without the method', async () => {
  writeFileSync(join(directory, 'broken'), '')
  const journal = await run([shell('work', 'echo worked >>log')])
  expect(journal).toMatchObject({ status: 'failed', deviated: false, run: [], rollbacks: [] })
  expect(log()).toBe('')
})

test('the method continues beside a background activity, and ends after it', async () => {
  const background = { ...shell('wait', 'until test -e go; do sleep 0.01; done; echo waited >>log'), background: true }
  await run([background, shell('go', 'echo gone >>log; touch go')])
  expect(log()).toBe('gone\nwaited\nmended\n')
})

test('an action whose command does not exist has failed, and the method continues', async () => {
  const missing = { type: 'action', name: 'missing', provider: { type: 'process', path: 'no-such-command' } }
  const { run: runs } = await run([missing, shell('work', 'echo worked >>log')])
  expect(runs).toMatchObject([{ status: 'failed', error: expect.stringContaining('ENOENT') }, { status: 'succeeded' }])
})

test('a probe without a response in time is not met', async () => {
  const { before } = await run([shell('work', 'true')], { type: 'http', url: 'http://127.0.0.1:1/', timeout: 1 })
  expect(before).toMatchObject({ isMet: false, probes: [{ status: 'failed' }] })
  const slow = { type: 'process', path: 'sleep', arguments: ['60'], timeout: 0.05 }
  expect((await run([shell('work', 'true')], slow)).before.probes).toMatchObject([
    { status: 'failed', error: 'the process took too long' },
  ])
})
