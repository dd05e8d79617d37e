import type { CheckReport, History, Snapshot } from '#pkg/health/index.ts'
import { html, type Markup } from '#pkg/http/html.ts'
import { createSecurityPolicy } from '#pkg/http/security-headers.ts'

export interface StatusPage {
  readonly service: string
  readonly version: string
  readonly snapshot: Snapshot
}

/** Refresh interval of the page, in seconds. */
const REFRESH_S = 5

const STYLE = html`
:root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e; --ok: #1a7f37; --fail: #cf222e }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --card: #161b22; --line: #30363d; --text: #e6edf3; --quiet: #9198a1; --ok: #3fb950; --fail: #ff7b72 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 46rem; background: var(--page); color: var(--text); font: 1rem/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
h1 { margin: 0; font-size: 1.5rem }
p { margin: 0 }
small, footer { display: block; color: var(--quiet); font-size: .8125rem; font-weight: 400 }
b.ok { color: var(--ok) }
b.fail { color: var(--fail) }
section, table { margin: 1.25rem 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
section { padding: 1rem; border-left: .375rem solid }
section.ok { border-left-color: var(--ok) }
section.fail { border-left-color: var(--fail) }
section b { font-size: 1.25rem }
table { width: 100%; border-spacing: 0; table-layout: fixed }
th, td { padding: .625rem 1rem; text-align: left; vertical-align: top }
thead th { color: var(--quiet); font-size: .8125rem }
tbody > tr > * { border-top: 1px solid var(--line) }
th:last-child { width: 38% }
svg { display: block; width: 100%; height: 2rem }
path.ok { fill: var(--ok) }
path.fail { fill: var(--fail) }
@media (max-width: 30rem) {
  table { font-size: .875rem }
  small, thead th { font-size: .75rem }
  th, td { padding: .625rem .375rem }
  th:first-child { width: 29% }
  th:last-child { width: 27% }
}
`

/** Header fields as alternating names and values. The policy permits the inline style and no other resource. */
export function statusPageFields(): string[] {
  const hash = process.getBuiltinModule('node:crypto').hash('sha256', String(STYLE), 'base64')
  const { headers } = createSecurityPolicy({ styleSrc: [`'sha256-${hash}'`] })
  return [...headers, ['refresh', String(REFRESH_S)]].flat()
}

/** Renders a snapshot as HTML: the content of the JSON response and the last runs of each check. */
export function renderStatusPage({ service, version, snapshot }: StatusPage): string {
  const { status, timestamp, checks, history = {} } = snapshot
  const rows = Object.entries(checks).map(([name, check]) => row(name, check, history[name] ?? [], timestamp))
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${status}: ${service}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${service}</h1><small>version ${version}</small></header>
<main>
<section class="${status}"><p>${state(status)}</p><p>${summary(checks)}</p></section>
${rows.length === 0 ? '' : table(rows)}
</main>
<footer>As of ${time(timestamp, utc(timestamp))}. Refreshes every ${REFRESH_S} seconds.</footer>
</body>
</html>
`
  return String(page)
}

function table(rows: readonly Markup[]): Markup {
  const columns = ['Check', 'State', 'Checked', 'Last runs'].map((name) => html`<th scope="col">${name}</th>`)
  return html`<table>
<thead><tr>${columns}</tr></thead>
<tbody>
${rows}</tbody>
</table>`
}

function row(name: string, check: CheckReport, history: History, timestamp: number): Markup {
  const { status, critical, checkedAt } = check
  const detail = check.status === 'ok' ? milliseconds(check.latencyMs) : check.reason
  const checked = checkedAt === undefined ? 'never' : time(checkedAt, ago(timestamp - checkedAt))
  return html`<tr>
<th scope="row">${name}<small>${critical ? 'critical' : 'not critical'}</small></th>
<td>${state(status)}<small>${detail}</small></td>
<td>${checked}</td>
<td>${history.length === 0 ? 'none' : chart(history)}</td>
</tr>
`
}

/** A mark and a word repeat the colour for readers who cannot see it. */
const state = (status: 'ok' | 'fail') => html`<b class="${status}">${status === 'ok' ? '✓' : '✗'} ${status}</b>`

function summary(checks: Snapshot['checks']): string {
  const failures = Object.entries(checks).filter(([, { status }]) => status === 'fail')
  if (failures.length === 0) return Object.keys(checks).length === 0 ? 'Nothing is watched.' : 'Every check is ok.'
  return `Failing: ${failures.map(([name, { critical }]) => (critical ? name : `${name} (not critical)`)).join(', ')}.`
}

/** A run is four units wide. A success is a bar above the line, as high as its latency; a failure is a bar below it. */
const CHART = { runs: 60, line: 24, height: 32 }

function chart(history: History): Markup {
  const latencies = history.flatMap((run) => (run.ok ? run.latencyMs : []))
  const longest = Math.max(...latencies)
  const bars = { ok: '', fail: '' }
  for (const [index, run] of history.entries()) {
    const x = 4 * (CHART.runs - history.length + index)
    const height = run.ok ? -barHeight(run.latencyMs / longest) : CHART.height - CHART.line
    bars[run.ok ? 'ok' : 'fail'] += `M${x} ${CHART.line}v${height}h3v${-height}z`
  }
  const range = latencies.length === 0 ? '' : `, ${milliseconds(Math.min(...latencies))} to ${milliseconds(longest)}`
  return html`<svg viewBox="0 0 ${4 * CHART.runs} ${CHART.height}" preserveAspectRatio="none" aria-hidden="true"><path class="ok" d="${bars.ok}"/><path class="fail" d="${bars.fail}"/></svg>
<small>${latencies.length} of ${history.length} ok${range}</small>`
}

/** Height of a bar, from its share of the longest latency. The share is NaN when the longest latency is 0. */
const barHeight = (share: number) => Math.max(2, Math.round((share || 0) * CHART.line))

const milliseconds = (value: number) => `${Math.round(value * 10) / 10} ms`

const ago = (seconds: number) => (seconds <= 0 ? 'just now' : `${seconds} s ago`)

const iso = (timestamp: number) => new Date(timestamp * 1000).toISOString()

const utc = (timestamp: number) => `${iso(timestamp).slice(0, 19).replace('T', ' ')} UTC`

const time = (timestamp: number, text: string) => html`<time datetime="${iso(timestamp)}">${text}</time>`
