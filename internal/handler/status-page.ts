import type { CheckReport, History, Snapshot } from '#pkg/health/index.ts'
import { html, type Markup, renderPage } from '#pkg/http/html.ts'
import { createSecurityPolicy } from '#pkg/http/security-headers.ts'

const REFRESH_S = 5
/** Size of the chart: the number of runs, the distance from the top to the base line, and the height. */
const RUNS = 60
const LINE = 24
const HEIGHT = 32

const STYLE = html`
:root { color-scheme: light dark; --page: #f6f8fa; --card: #fff; --line: #d1d9e0; --text: #1f2328; --quiet: #59636e; --ok: #1a7f37; --fail: #cf222e }
@media (prefers-color-scheme: dark) {
  :root { --page: #0d1117; --card: #161b22; --line: #30363d; --text: #e6edf3; --quiet: #9198a1; --ok: #3fb950; --fail: #ff7b72 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 46rem; background: var(--page); color: var(--text); font: 1rem/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
h1 { margin: 0; font-size: 1.5rem }
p { margin: 0; color: var(--text) }
.ok { color: var(--ok); fill: var(--ok) }
.fail { color: var(--fail); fill: var(--fail) }
small, footer { display: block; color: var(--quiet); font-size: .8125rem; font-weight: 400 }
section, table { margin: 1.25rem 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem }
section { padding: 1rem; border-left: .375rem solid }
section b { font-size: 1.25rem }
table { width: 100%; border-spacing: 0; table-layout: fixed }
th, td { padding: .625rem 1rem; text-align: left; vertical-align: top }
thead th { color: var(--quiet); font-size: .8125rem }
tbody > tr > * { border-top: 1px solid var(--line) }
th:last-child { width: 38% }
svg { display: block; width: 100%; height: 2rem }
@media (max-width: 30rem) {
  table { font-size: .875rem }
  small, thead th { font-size: .75rem }
  th, td { padding: .625rem .375rem }
  th:first-child { width: 29% }
  th:last-child { width: 27% }
}
`

/** Returns header fields as alternating names and values. The policy permits the inline style and no other resource. */
export function createStatusPageFields(): string[] {
  const hash = process.getBuiltinModule('node:crypto').hash('sha256', String(STYLE), 'base64')
  const { headers } = createSecurityPolicy({ styleSrc: [`'sha256-${hash}'`] })
  return [...headers, ['refresh', String(REFRESH_S)]].flat()
}

/**
 * Renders a snapshot as HTML: the content of the JSON response and the last runs of each check.
 *
 * @param isBrownout whether overload or an operator has switched the background operations off. Undefined: unknown
 */
export function renderStatusPage(service: string, version: string, snapshot: Snapshot, isBrownout?: boolean): string {
  const { status, timestamp, checks, history } = snapshot
  const rows = Object.entries(checks).map(([name, check]) => renderRow(name, check, history[name] ?? [], timestamp))
  const body = html`<header><h1>${service}</h1><small>version ${version}</small></header>
<main>
<section class="${status}"><p>${renderState(status)}</p><p>${summarize(checks)}</p></section>
${isBrownout === undefined ? '' : renderLoad(isBrownout)}
${rows.length === 0 ? '' : renderTable(rows)}
</main>
<footer>As of ${renderTime(timestamp, `${formatIso(timestamp).slice(0, 19).replace('T', ' ')} UTC`)}. Refreshes every ${REFRESH_S} seconds.</footer>`
  return renderPage(`${status}: ${service}`, html`<style>${STYLE}</style>`, body)
}

const renderTable = (rows: readonly Markup[]) => html`<table>
<thead><tr><th scope="col">Check</th><th scope="col">State</th><th scope="col">Checked</th><th scope="col">Last runs</th></tr></thead>
<tbody>
${rows}</tbody>
</table>`

function renderRow(name: string, check: CheckReport, history: History, timestamp: number): Markup {
  const { status, critical, checkedAt } = check
  const detail = check.status === 'ok' ? formatMilliseconds(check.latencyMs) : check.reason
  return html`<tr>
<th scope="row">${name}<small>${critical ? 'critical' : 'not critical'}</small></th>
<td>${renderState(status)}<small>${detail}</small></td>
<td>${checkedAt === undefined ? 'never' : renderTime(checkedAt, formatAge(timestamp - checkedAt))}</td>
<td>${history.length === 0 ? 'none' : renderChart(history)}</td>
</tr>
`
}

const renderLoad = (isBrownout: boolean) =>
  html`<section class="${isBrownout ? 'fail' : 'ok'}"><p>${
    isBrownout ? 'Brownout: background operations are off.' : 'Load: every operation is on.'
  }</p></section>`

/** A mark and a word repeat the colour for readers who cannot see it. */
const renderState = (status: 'ok' | 'fail') => html`<b class="${status}">${status === 'ok' ? '✓' : '✗'} ${status}</b>`

function summarize(checks: Snapshot['checks']): string {
  const failures = Object.entries(checks).filter(([, { status }]) => status === 'fail')
  if (Object.keys(checks).length === 0) return 'No checks are configured.'
  if (failures.length === 0) return 'Every check is ok.'
  return `Failing: ${failures.map(([name, { critical }]) => (critical ? name : `${name} (not critical)`)).join(', ')}.`
}

/** A run is four units wide. A success is a bar above the line, as high as its latency; a failure is a bar below it. */
function renderChart(history: History): Markup {
  const latencies = history.flatMap((run) => (run.ok ? run.latencyMs : []))
  const longest = Math.max(...latencies)
  const bars = { ok: '', fail: '' }
  for (const [index, run] of history.entries()) {
    const x = 4 * (RUNS - history.length + index)
    // The ratio is NaN when the longest latency is 0.
    const height = run.ok ? -Math.max(2, Math.round((run.latencyMs / longest || 0) * LINE)) : HEIGHT - LINE
    bars[run.ok ? 'ok' : 'fail'] += `M${x} ${LINE}v${height}h3v${-height}z`
  }
  const range =
    latencies.length === 0 ? '' : `, ${formatMilliseconds(Math.min(...latencies))} to ${formatMilliseconds(longest)}`
  return html`<svg viewBox="0 0 ${4 * RUNS} ${HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><path class="ok" d="${bars.ok}"/><path class="fail" d="${bars.fail}"/></svg>
<small>${latencies.length} of ${history.length} ok${range}</small>`
}

const formatMilliseconds = (value: number) => `${Math.round(value * 10) / 10} ms`
const formatAge = (seconds: number) => (seconds <= 0 ? 'just now' : `${seconds} s ago`)
const formatIso = (timestamp: number) => new Date(timestamp * 1000).toISOString()
const renderTime = (timestamp: number, text: string) => html`<time datetime="${formatIso(timestamp)}">${text}</time>`
