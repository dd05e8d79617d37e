import { expect, test } from '@jest/globals'
import { renderChart } from './chart.ts'
import type { StepResult } from './measure.ts'
import { judge, listPanels, renderReport } from './report.ts'

const limits = { upTo: 200, p99Ms: 100, errorShare: 0.01 }

const step = (rate: number, changes: Partial<StepResult> = {}): StepResult => ({
  rate,
  durationS: 5,
  offered: rate,
  achieved: rate,
  errors: {},
  errorShare: 0,
  p50Ms: 5,
  p95Ms: 10,
  p99Ms: 20,
  maxMs: 40,
  evidence: { generator: { lagMs: 1, cpu: 0.1 }, pool: { used: 2, open: 10, pending: 0, timeouts: 0 } },
  ...changes,
})

const fullPool = {
  achieved: 190,
  errors: { '503': 550 },
  errorShare: 0.4,
  p99Ms: 260,
  evidence: { generator: { lagMs: 1, cpu: 0.1 }, pool: { used: 10, open: 10, pending: 25, timeouts: 550 } },
}

test('limits hold when every step up to their rate meets them, and the knee is the highest rate that meets them', () => {
  const { broken, unknown, knee } = judge([step(100), step(200), step(300, fullPool)], limits)
  expect({ broken, unknown, knee }).toEqual({ broken: [], unknown: [], knee: 200 })
})

test('each limit that a judged step breaks is a sentence with the figures', () => {
  expect(judge([step(200, fullPool)], limits).broken).toEqual([
    '200/s: p99 260 ms, expected at most 100 ms',
    '200/s: 40 % errors, expected at most 1 %',
  ])
  expect(judge([step(200, fullPool)], limits).knee).toBeUndefined()
})

test('a generator that could not keep its rate breaks no limit of the latency: the step has no verdict', () => {
  const late = step(200, { p99Ms: 150, evidence: { generator: { lagMs: 90 } } })
  expect(judge([late], limits)).toMatchObject({
    broken: [],
    unknown: ['200/s: the generator sent its requests up to 90 ms late: no verdict'],
  })
})

test('other programs that use the machine excuse the latency of a step, and not its errors', () => {
  const evidence = { generator: { lagMs: 1 }, processes: [], machine: { cores: 2, busy: 0.9 } }
  expect(judge([step(200, { p99Ms: 150, errorShare: 1, evidence })], limits)).toMatchObject({
    broken: ['200/s: 100 % errors, expected at most 1 %'],
    unknown: ['200/s: other programs used more than half of the cores'],
  })
})

test('steps above the rate of the limits, and a step without a request, have no verdict', () => {
  expect(judge([step(300)], limits)).toMatchObject({ broken: [], unknown: ['no step has a rate up to 200/s'] })
  expect(renderReport('Things', [step(300)], limits)).not.toContain('The limits hold')
  const empty = step(0.1, { offered: 0, achieved: 0, p50Ms: 0, p95Ms: 0, p99Ms: 0, maxMs: 0 })
  expect(judge([empty], limits)).toEqual({ broken: [], unknown: ['0.1/s: no request was sent'], knee: undefined })
})

test('the report shows the steps, the first saturated resource and the verdict', () => {
  const report = renderReport('Things', [step(100), step(200, fullPool)], limits)
  expect(report).toMatch(/^# Things\n/)
  expect(report).toMatch(/\| 200 +\| 200 +\| 190 +\| 503: 550 \| 5\.0 +\| 10\.0 +\| 260\.0 +\| 40\.0 +\| pool +\|/)
  expect(report).toContain('First saturated resource: pool at 200/s. 25 operations waited for a connection on average')
  expect(report).toContain('Highest rate within the limits: 100/s')
  expect(report).toContain('- BROKEN: 200/s: p99 260 ms, expected at most 100 ms')
  expect(renderReport('Things', [step(100)], limits)).toContain('The limits hold up to 200/s.')
})

test('the report says when other programs used the machine', () => {
  const evidence = { generator: { lagMs: 1, cpu: 0.1 }, processes: [], machine: { cores: 2, busy: 0.9 } }
  expect(renderReport('Things', [step(100, { evidence })], limits)).toContain(
    'Other programs used more than half of the cores at 100/s.',
  )
})

test('the chart has a panel for throughput and a panel for latency, with a point for each step', () => {
  const svg = renderChart(listPanels('A & B', [step(100), step(200, fullPool)]))
  expect(svg).toMatch(/^<svg .*<\/svg>\n$/s)
  expect(svg).toContain('A &#38; B: throughput')
  expect(svg).toContain('A &#38; B: latency')
  expect(svg.match(/<polyline/g)).toHaveLength(6)
  expect(svg.match(/<circle/g)).toHaveLength(12)
  // The first saturated resource is a mark.
  expect(svg).toContain('>pool</text>')
  // The lines stay inside the plot: 200/s of 200/s is its right border.
  expect(svg).toContain('cx="650"')
  expect(svg).not.toContain('NaN')
})
