import { type ChartPanel, renderChart, type Series } from '../chart.ts'
import type { Capacity, Row } from './evaluate.ts'

/** Rates above this multiple of the knee are not drawn: their latencies would hide the others. */
const BEYOND = 1.2

/** Renders the 99th percentile over the rate, and the knees over the instances. */
export function renderCapacityChart({ rows }: Capacity, title: string): string {
  const measured = rows.filter((row) => row.measured !== undefined)
  const latencies: ChartPanel = {
    title: `${title}: latency, measured`,
    ...{ x: 'requests/s', y: 'p99, ms' },
    series: measured.map(({ instances, measured }) => ({ name: name(instances), points: drawLatencies(measured) })),
    marks: measured.map(({ measured }) => ({ x: measured?.ratePerSecond ?? 0, label: '' })),
  }
  const knees: ChartPanel = {
    title: `${title}: knee by instances`,
    ...{ x: 'instances', y: 'requests/s' },
    series: [
      { name: 'measured', points: drawKnees(measured, (row) => row.measured?.ratePerSecond) },
      { name: 'simulated', points: drawKnees(rows, (row) => row.simulated) },
      { name: 'simulated, random', points: drawKnees(rows, (row) => row.simulatedRandom) },
    ].filter(({ points }) => points.length > 0),
  }
  return renderChart([latencies, knees])
}

const name = (instances: number) => `${instances} ${instances === 1 ? 'instance' : 'instances'}`

function drawLatencies(knee: Row['measured']): Series['points'] {
  const drawn = knee?.measurements.filter(({ ratePerSecond }) => ratePerSecond <= BEYOND * knee.ratePerSecond) ?? []
  return drawn
    .map(({ ratePerSecond, outcome }) => [ratePerSecond, outcome.result.p99Ms] as const)
    .toSorted(([a], [b]) => a - b)
}

const drawKnees = (rows: readonly Row[], read: (row: Row) => number | undefined): Series['points'] =>
  rows.flatMap((row) => {
    const value = read(row)
    return value === undefined ? [] : [[row.instances, value] as const]
  })
