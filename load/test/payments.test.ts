import { expect, test } from '@jest/globals'
import { findBottleneck } from '../bottleneck.ts'
import { measure, type StepResult } from '../measure.ts'
import { readScenario } from '../scenario.ts'
import { startStage } from '../stage.ts'

/** Without sessions, the load needs no long warm-up. */
const { session: _session, ...scenario } = readScenario('payments')

/** Sends 300 requests a second to an upstream that takes 20 ms for each: about six calls are in progress. */
async function measureWith(concurrency: number) {
  await using stage = await startStage({ env: { UPSTREAM_CONCURRENCY: String(concurrency) } })
  return await measure({ target: stage.target, scenario, rate: 300, durationS: 3, warmUpS: 1 })
}

/** Other programs may make the generator late. Its lag would hide the resource. */
function withoutLag({ evidence, ...step }: StepResult): StepResult {
  return { ...step, evidence: { ...evidence, generator: { lagMs: 0, cpu: 0 } } }
}

test('calls that the concurrency limit of the upstream refuses name the bulkhead', async () => {
  const step = await measureWith(2)
  expect(findBottleneck(withoutLag(step))).toEqual({
    resource: 'bulkhead',
    reason: expect.stringMatching(/calls to the upstream were in progress, and \d+ calls were refused/),
  })
  expect(step.errors['503']).toBeGreaterThan(0)
}, 120_000)

test('a limit above the load refuses no call', async () => {
  const step = await measureWith(10_000)
  expect(step.evidence.upstream).toMatchObject({ rejectedByConcurrency: 0 })
  expect(step.evidence.upstream?.inFlight).toBeGreaterThan(0)
  expect(findBottleneck(withoutLag(step))?.resource).not.toBe('bulkhead')
}, 120_000)
