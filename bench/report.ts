import { formatRatio, formatValue } from './chart.ts'
import { type Measurement, median, medianInterval, ratios } from './measurement.ts'

/** The machine and the versions behind the figures. */
export type Circumstances = Readonly<Record<string, string>>

/** Renders a table for each measurement. The last column is the interval of the median ratio. */
export function renderReport(circumstances: Circumstances, measurements: readonly Measurement[]): string {
  const facts = Object.entries(circumstances).map(([name, value]) => `- ${name}: ${value}`)
  return `${[facts.join('\n'), ...measurements.map(table)].join('\n\n')}\n`
}

function table(measurement: Measurement): string {
  const { title, unit, base, rows } = measurement
  const lines = Object.entries(rows).map(([row, values]) => {
    const ratiosToBase = ratios(measurement, row, base)
    const [ratio = '', low, high] = [median(ratiosToBase), ...medianInterval(ratiosToBase)].map((each) =>
      formatRatio(each, unit),
    )
    return `| ${row} | ${formatValue(median(values), unit)} | ${ratio} | ${low}–${high} |`
  })
  return [`${title}:`, '', `| | median | of ${base} | 95 % |`, '|---|--:|--:|--:|', ...lines].join('\n')
}
