import { expect, test } from '@jest/globals'
import { findFirstBottleneck } from '../bottleneck.ts'
import { measure, type StepResult } from '../measure.ts'
import { judge } from '../report.ts'
import { readScenario } from '../scenario.ts'
import { startStage } from '../stage.ts'

/**
 * Duration of each query, in seconds. It uses no CPU, so the knee hardly depends on the machine. The driver sends no
 * statement behind a statement that takes 10 ms or longer, so each query occupies a connection.
 */
const QUERY_S = 0.05

const ID = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'

const SLOW_NOTES = `
  insert into notes (id, title, text) values ('${ID}', 'Slow', '');
  alter table notes rename to fast_notes;
  create view notes as select fast_notes.* from fast_notes, pg_sleep(${QUERY_S})`

const RATES = [100, 150, 200, 300, 400, 600]

const notes = readScenario('notes')
const scenario = {
  ...notes,
  operations: notes.operations.filter(({ name }) => name === 'read'),
  // A queue that grows breaks the first limit, and a full queue breaks the second.
  limits: { upTo: 600, p99Ms: 800, errorShare: 0.01 },
}

async function measureWith(poolMax: number) {
  const env = { DATABASE_POOL_MAX: String(poolMax), DATABASE_QUEUE_TIMEOUT_MS: '1000' }
  await using stage = await startStage({ env, sql: SLOW_NOTES })
  const results: StepResult[] = []
  for (const rate of RATES) {
    const data = { noteId: [ID] }
    results.push(await measure({ target: stage.target, scenario, rate, durationS: 3, warmUpS: 2, data }))
  }
  const { knee = 0 } = judge(results, scenario.limits)
  const bottleneck = findFirstBottleneck(results)
  const most = Math.max(...results.map(({ achieved }) => achieved))
  console.info(`pool of ${poolMax}: knee ${knee}/s, at most ${most}/s, ${bottleneck?.resource}: ${bottleneck?.reason}`)
  return { knee, most, bottleneck }
}

test('queries of 50 ms saturate the pool first, and twice the connections give twice the knee', async () => {
  const ten = await measureWith(10)
  const twenty = await measureWith(20)
  for (const [poolMax, { bottleneck, knee, most }] of [
    [10, ten],
    [20, twenty],
  ] as const) {
    expect(bottleneck?.resource).toBe('pool')
    expect(bottleneck?.reason).toContain('backends waited for Timeout:PgSleep')
    // No machine can serve more. The margin is for the requests that the warm-up has left in the queue.
    expect(most).toBeLessThan((1.2 * poolMax) / QUERY_S)
    expect(knee).toBeLessThanOrEqual(most)
    // On a busy machine, a connection is idle for a while after each query.
    expect(most).toBeGreaterThan((0.5 * poolMax) / QUERY_S)
  }
  expect(twenty.knee).toBeGreaterThan(ten.knee)
  expect(twenty.most).toBeGreaterThan(1.3 * ten.most)
}, 300_000)
