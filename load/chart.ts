/** A line of a panel. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface ChartPanel {
  readonly title: string
  /** The names of the axes, with their units. */
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
  /** Vertical lines, such as the knee. @default none */
  readonly marks?: readonly { readonly x: number; readonly label: string }[]
}

const WIDTH = 800
const HEIGHT = 300
const LEFT = 70
const RIGHT = 150
const TOP = 34
const BOTTOM = 48
const PLOT = { width: WIDTH - LEFT - RIGHT, height: HEIGHT - TOP - BOTTOM }

// The colour of texts follows the colour scheme. The lines are readable on light and dark pages.
const COLOURS = ['#2f81f7', '#d29922', '#da3633', '#8c959f', '#2da44e']
const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600 }
  .axis { stroke: #8c959f }
  .mark { stroke: #8c959f; stroke-dasharray: 4 4 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }`

const escapeText = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

/** Returns the smallest of 1, 2, 5, 10, 20, 50, … that is not below the value. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-9)))
  return ([1, 2, 5].find((step) => step * power >= value) ?? 10) * power
}

/** Renders an SVG document with the panels below each other. The axes begin at 0. */
export function renderChart(panels: readonly ChartPanel[]): string {
  const parts = panels.map((panel, index) => `<g transform="translate(0 ${index * HEIGHT})">${renderPanel(panel)}</g>`)
  const height = panels.length * HEIGHT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<style>${STYLE}
</style>
${parts.join('\n')}
</svg>
`
}

function renderPanel({ title, x, y, series, marks = [] }: ChartPanel): string {
  const points = series.flatMap((each) => each.points)
  const [maxX, maxY] = [0, 1].map((axis) => roundUp(Math.max(0, ...points.map((point) => point[axis] ?? 0)))) as [
    number,
    number,
  ]
  const toX = (value: number) => round(LEFT + (value / maxX) * PLOT.width)
  const toY = (value: number) => round(TOP + PLOT.height - (value / maxY) * PLOT.height)
  const [bottom, right] = [TOP + PLOT.height, LEFT + PLOT.width]
  return [
    text(LEFT, 20, title, 'class="title"'),
    `<path class="axis" fill="none" d="M${LEFT} ${TOP}V${bottom}H${right}"/>`,
    ...[0, maxX / 2, maxX].map((value) => text(toX(value), bottom + 18, show(value), 'text-anchor="middle"')),
    ...[0, maxY / 2, maxY].map((value) => text(LEFT - 8, toY(value) + 4, show(value), 'text-anchor="end"')),
    text(LEFT + PLOT.width / 2, bottom + 38, x, 'text-anchor="middle"'),
    text(right + 8, TOP, y),
    ...marks.flatMap((mark) => [
      `<path class="mark" d="M${toX(mark.x)} ${TOP}V${bottom}"/>`,
      text(toX(mark.x) + 4, TOP + 12, mark.label),
    ]),
    ...series.flatMap((each, index) => {
      const colour = COLOURS[index % COLOURS.length] ?? ''
      const path = each.points.map(([px, py]) => `${toX(px)},${toY(py)}`).join(' ')
      return [
        `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${path}"/>`,
        ...each.points.map(([px, py]) => `<circle cx="${toX(px)}" cy="${toY(py)}" r="3" fill="${colour}"/>`),
        `<rect x="${right + 8}" y="${TOP + 12 + index * 20}" width="12" height="12" fill="${colour}"/>`,
        text(right + 26, TOP + 23 + index * 20, each.name),
      ]
    }),
  ].join('\n')
}

const text = (x: number, y: number, value: string, attributes = '') =>
  `<text x="${x}" y="${y}" ${attributes}>${escapeText(value)}</text>`

const round = (value: number) => Math.round(10 * value) / 10
const show = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 })
