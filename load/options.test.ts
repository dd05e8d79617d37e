import { globSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from '@jest/globals'
import { readLoadOptions } from './options.ts'
import { readScenario } from './scenario.ts'

test('without variables, the scenario ping runs on one instance', () => {
  const scenario = readScenario('ping')
  expect(readLoadOptions({ STEPS: '', INSTANCES: '' })).toEqual({
    ...{ scenario, steps: scenario.steps, instances: 1, serviceEnv: {} },
  })
})

test('the variables replace the steps, and the variables of the service apply to the instances', () => {
  const { steps, instances, serviceEnv } = readLoadOptions({
    ...{ STEPS: '100,200', RATE: '5', DURATION_S: '2.5', INSTANCES: '2', DATABASE_POOL_MAX: '20', HOME: '/' },
  })
  expect(steps).toEqual([
    { rate: 100, durationS: 2.5 },
    { rate: 200, durationS: 2.5 },
  ])
  expect({ instances, serviceEnv }).toEqual({ instances: 2, serviceEnv: { DATABASE_POOL_MAX: '20' } })
  expect(readLoadOptions({ RATE: '5' }).steps).toEqual([{ rate: 5, durationS: 5 }])
})

test('URL and METRICS name a running system and its metrics', () => {
  const url = 'https://staging.example.com'
  expect(readLoadOptions({ URL: url }).system).toEqual({ url })
  const metrics = ['http://10.0.0.11:9464/metrics', 'http://10.0.0.12:9464/metrics']
  expect(readLoadOptions({ URL: url, METRICS: metrics.join() }).system).toEqual({ url, metrics })
})

test('all problems are reported together, and a problem of the service does not show the value', () => {
  const wrong = {
    ...{ URL: 'ftp://x', METRICS: 'http://10.0.0.11:9464/metrics,x', SCENARIO: 'none.json' },
    ...{ STEPS: '20,fast', RATE: '0', DURATION_S: '-1', INSTANCES: '1,2', SESSION_SECRET: 'too short' },
  }
  const scenarios = globSync('load/scenarios/*.json').map((file) => basename(file, '.json'))
  expect(() => readLoadOptions(wrong)).toThrow(
    new Error(
      [
        'URL: expected the address of a running system, such as http://127.0.0.1:8080, not «ftp://x»',
        'METRICS: expected addresses such as http://127.0.0.1:9464/metrics, not «http://10.0.0.11:9464/metrics,x»',
        `SCENARIO: unknown scenario none.json: expected ${scenarios.sort().join(', ')}, or the path of a .json file`,
        'STEPS: expected requests per second, such as 100,200, not «20,fast»',
        'RATE: expected requests per second, such as 100,200, not «0»',
        'DURATION_S: expected seconds, not «-1»',
        'INSTANCES: expected a number from 1 to 8, not «1,2»',
        'SESSION_SECRET: expected texts of at least 32 characters, separated by commas',
      ].join('\n'),
    ),
  )
})

test.each(['0', '9', '1.5', 'x', '1,'])('INSTANCES=%s is refused', (text) => {
  expect(() => readLoadOptions({ INSTANCES: text })).toThrow('INSTANCES: expected a number from 1 to 8')
})
