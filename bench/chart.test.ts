import { expect, test } from '@jest/globals'
import { renderChart } from './chart.ts'

const measurement = {
  name: 'ping',
  title: 'GET /ping & <more>',
  unit: 'requests/s' as const,
  base: 'raw',
  rows: { raw: [30_000, 20_000, 40_000], service: [15_000, 10_000, 20_000] },
}
const svg = renderChart([measurement, measurement], (row) => row === 'service')

test('the length of a bar is proportional to its median', () => {
  const widths = [...svg.matchAll(/ width="([\d.]+)" height="16"/g)].map(([, width]) => Number(width))
  expect(widths).toEqual([400, 200, 400, 200])
})

test('each row has its median and its ratio to the base', () => {
  expect(svg).toContain('>15,000 requests/s · 0.50<')
  expect(svg).toContain('class="own"')
})

test('text of a measurement is escaped', () => {
  expect(svg).toContain('GET /ping &#38; &#60;more&#62;')
})

test('panels are below each other, within the height of the document', () => {
  const height = Number(/ height="(\d+)">/.exec(svg)?.[1])
  const titles = [...svg.matchAll(/class="title" x="0" y="(\d+)"/g)].map(([, y]) => Number(y))
  const bars = [...svg.matchAll(/<rect .* y="(\d+)"/g)].map(([, y]) => Number(y))
  expect(titles).toHaveLength(2)
  expect(titles[1]).toBeGreaterThan(bars[1] ?? Number.NaN)
  expect(Math.max(...bars)).toBeLessThan(height - 16)
})
