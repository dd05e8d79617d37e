import { formatValue } from './chart.ts'
import { type Measurement, median, ratios } from './measurement.ts'

/** The machine and the versions behind the figures. */
export type Circumstances = Readonly<Record<string, string>>

/** Renders a table for each measurement. */
export function renderReport(circumstances: Circumstances, measurements: readonly Measurement[]): string {
  const facts = Object.entries(circumstances).map(([name, value]) => `- ${name}: ${value}`)
  return `${[facts.join('\n'), ...measurements.map(table)].join('\n\n')}\n`
}

function table(measurement: Measurement): string {
  const { title, unit, base, rows } = measurement
  const lines = Object.entries(rows).map(([row, values]) => {
    const ratiosToBase = ratios(measurement, row, base)
    const range = `${Math.min(...ratiosToBase).toFixed(2)}–${Math.max(...ratiosToBase).toFixed(2)}`
    return `| ${row} | ${formatValue(median(values), unit)} | ${median(ratiosToBase).toFixed(2)} | ${range} |`
  })
  return [`${title}:`, '', `| | median | of ${base} | from–to |`, '|---|--:|--:|--:|', ...lines].join('\n')
}
