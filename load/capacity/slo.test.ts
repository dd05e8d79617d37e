import { expect, test } from '@jest/globals'
import { holds, parseSlo } from './slo.ts'

test('an SLO is a list of objectives in milliseconds or seconds', () => {
  expect(parseSlo('p99<250ms')).toEqual([{ figure: 'p99Ms', belowMs: 250 }])
  expect(parseSlo(' p50 < 12.5ms, max<1s')).toEqual([
    { figure: 'p50Ms', belowMs: 12.5 },
    { figure: 'maxMs', belowMs: 1_000 },
  ])
})

test.each([
  '',
  'p99',
  'p98<250ms',
  'p99<250',
  'p99>250ms',
  'p99<=250ms',
  'p99<0ms',
  'p99<-1ms',
  'p99<250ms,',
  'p99<1e3ms',
])('the SLO «%s» is refused with the expected syntax', (text) =>
  expect(() => parseSlo(text)).toThrow(/^«.*» is not an objective: expected .*p99<250ms$/),
)

test('every objective must hold', () => {
  const objectives = parseSlo('p50<20ms,p99<250ms')
  const latencies = { p50Ms: 19, p95Ms: 900, p99Ms: 249, maxMs: 900 }
  expect(holds(objectives, latencies)).toBe(true)
  expect(holds(objectives, { ...latencies, p50Ms: 20 })).toBe(false)
  expect(holds(objectives, { ...latencies, p99Ms: 250 })).toBe(false)
})
