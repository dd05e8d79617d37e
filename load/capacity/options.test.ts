import { expect, test } from '@jest/globals'
import { readScenario } from '../scenario.ts'
import { readOptions } from './options.ts'

const required = { TARGET: '5000', SLO: 'p99<250ms' }

test('a target and an SLO are enough', () => {
  expect(readOptions(required, 4)).toEqual({
    ...{
      target: 5_000,
      slo: [{ figure: 'p99Ms', belowMs: 250 }],
      sloText: 'p99<250ms',
      scenario: readScenario('ping'),
    },
    ...{
      instances: [1, 2, 4],
      poolMax: 10,
      zones: 3,
      headroom: 0.3,
      maxConnections: 100,
      databaseCores: 4,
      isQuick: false,
      serviceEnv: {},
    },
  })
  expect(readOptions({ ...required, QUICK: '1' }, 4).instances).toEqual([1, 2])
  expect(readOptions({ ...required, URL: 'http://127.0.0.1:8080', INSTANCES: '' }, 4).instances).toEqual([1])
})

function readProblems(variables: Readonly<Record<string, string>>): string[] {
  try {
    readOptions(variables, 4)
    return []
  } catch (error) {
    return (error as Error).message.split('\n')
  }
}

test('all problems are reported together', () => {
  const wrong = {
    TARGET: 'many',
    SLO: 'fast',
    INSTANCES: '2,1',
    ZONES: '0',
    HEADROOM: '1',
    URL: 'localhost:8080',
    SCENARIO: 'none.json',
    OVERLOAD_WAIT_MS: 'x',
    DATABASE_POOL_MAX: '0',
  }
  expect(readProblems(wrong)).toEqual([
    'URL: expected the address of a running system, such as http://127.0.0.1:8080, not «localhost:8080»',
    expect.stringMatching(/^SCENARIO: unknown scenario none.json: expected .*notes-slow/),
    'TARGET: expected requests per second, such as 5000, not «many»',
    'SLO: «fast» is not an objective: expected one of p50, p95, p99, max, <, and a time, such as p99<250ms',
    'INSTANCES: expected one number from 1 to 8, because URL is set, not «2,1»',
    'DATABASE_POOL_MAX: expected the number of connections of each instance, not «0»',
    'ZONES: expected a number of zones from 1, not «0»',
    'HEADROOM: expected a share from 0 to below 1, not «1»',
    'OVERLOAD_WAIT_MS: expected an integer from 0 to 10000 milliseconds',
  ])
  expect(() => readOptions({}, 4)).toThrow(
    'TARGET: expected requests per second, such as 5000\nSLO: «» is not an objective',
  )
})

test.each(['0', '1,1', '1,x', '1.5', '9'])('INSTANCES=%s is refused', (text) => {
  expect(() => readOptions({ ...required, INSTANCES: text }, 4)).toThrow(
    /^INSTANCES: expected rising numbers from 1 to 8/,
  )
})
