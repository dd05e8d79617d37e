import { type Measurement, median, ratios } from './measurement.ts'

const WIDTH = 800
const LABEL_WIDTH = 200
const BAR_WIDTH = 400
const ROW_HEIGHT = 22
const TITLE_HEIGHT = 34

// The colour of texts follows the colour scheme. The bars are readable on light and dark pages.
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .peer { fill: #8c959f }
  .own { fill: #2f81f7 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }`

const escapeText = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

/** Formats a value for tables and charts. */
export function formatValue(value: number, unit: Measurement['unit']): string {
  return `${unit === 'requests/s' ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)} ${unit}`
}

/** The ratios of CPU times are close to 1. */
export const formatRatio = (ratio: number, unit: Measurement['unit']): string => ratio.toFixed(unit === 'µs' ? 3 : 2)

/** Renders an SVG document with a panel for each measurement and a bar for each median. Highlights `isOwn` rows. */
export function renderChart(measurements: readonly Measurement[], isOwn: (row: string) => boolean): string {
  const parts: string[] = []
  let y = 0
  for (const measurement of measurements) {
    const { title, unit, base, rows } = measurement
    const medians = Object.entries(rows).map(([row, values]) => [row, median(values)] as const)
    const longest = Math.max(...medians.map(([, value]) => value))
    parts.push(`<text class="title" x="0" y="${y + 22}">${escapeText(title)}</text>`)
    y += TITLE_HEIGHT
    for (const [row, value] of medians) {
      const width = (Math.max(0, value / longest) * BAR_WIDTH).toFixed(1)
      const text = `${formatValue(value, unit)} · ${formatRatio(median(ratios(measurement, row, base)), unit)}`
      parts.push(
        `<text x="${LABEL_WIDTH - 8}" y="${y + 14}" text-anchor="end">${escapeText(row)}</text>`,
        `<rect class="${isOwn(row) ? 'own' : 'peer'}" x="${LABEL_WIDTH}" y="${y + 2}" width="${width}" height="${ROW_HEIGHT - 6}" rx="2"/>`,
        `<text x="${LABEL_WIDTH + Number(width) + 6}" y="${y + 14}">${text}</text>`,
      )
      y += ROW_HEIGHT
    }
    y += ROW_HEIGHT / 2
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}">
<style>${STYLE}
</style>
${parts.join('\n')}
</svg>
`
}
