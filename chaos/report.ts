import type { Result } from './conduct.ts'

export interface Reported {
  readonly name: string
  readonly title: string
  readonly weakness: string
  readonly hypothesis: string
  readonly result: Result
}

const seconds = (ms: number | undefined) => (ms === undefined ? '–' : `${(ms / 1_000).toFixed(1)} s`)
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

/** Renders chaos/report.md. */
export function renderReport(all: readonly Reported[]): string {
  const rows = all.map(({ name, result }) => {
    const { verdict, detected, recoveredAfterMs, requests, failures } = result
    const by = detected ? ` ${detected.signal.source}: ${detected.signal.text}` : ''
    const load = `${failures} of ${requests}`
    return `| [${name}](#${name}) | ${verdict} | ${seconds(detected?.at)}${cell(by)} | ${seconds(recoveredAfterMs)} | ${load} |`
  })
  const details = all.flatMap(({ name, title, weakness, hypothesis, result }) => [
    `\n## ${name}\n`,
    `${title}. ${weakness}\n`,
    `Hypothesis: ${hypothesis}. Verdict: ${result.verdict}${result.reason ? ` (${result.reason})` : ''}.`,
  ])
  return [
    '# Experiments\n',
    'Detected: from the start of the method to the first warning in a log. Recovered: from the end of the rollbacks until',
    'the hypothesis held again. Failed requests: no response in 5 s, or a status of 400 or above.\n',
    '![Timeline](report.svg)\n',
    '| experiment | verdict | detected | recovered | failed requests |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
    ...details,
    '',
  ].join('\n')
}

const WIDTH = 900
const LEFT = 170
const ROW = 70

const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')

/**
 * Renders chaos/report.svg: a row for each experiment with the share of failed requests in each second, the time of the
 * fault, the first signal and the recovery.
 */
export function renderTimeline(all: readonly Reported[]): string {
  const longest = Math.max(1, ...all.map(({ result }) => result.seconds.length))
  const x = (ms: number) => LEFT + (ms / 1_000 / longest) * (WIDTH - LEFT - 20)
  const rows = all.map(({ name, result }, index) => {
    const { faultEndedAt, detected, recoveredAfterMs, verdict } = result
    const top = 40 + index * ROW
    const bottom = top + ROW - 22
    const line = (ms: number, color: string, label: string) =>
      `<line x1="${x(ms)}" x2="${x(ms)}" y1="${top}" y2="${bottom}" stroke="${color}"><title>${label}</title></line>`
    const bars = result.seconds
      .filter(({ errors }) => errors > 0)
      .map(({ at, errors }) => {
        const height = errors * (bottom - top)
        const width = Math.max(1, x(1_000) - x(0) - 1)
        return `<rect x="${x(at * 1_000)}" y="${bottom - height}" width="${width}" height="${height}" fill="#c0392b"/>`
      })
    return [
      `<text x="10" y="${top + 18}">${escapeXml(name)}</text>`,
      `<text x="10" y="${top + 36}" fill="${verdict === 'passed' ? '#2d7d46' : '#c0392b'}">${verdict}</text>`,
      `<rect x="${x(0)}" y="${top}" width="${x(faultEndedAt) - x(0)}" height="${bottom - top}" fill="#f3e3b3"/>`,
      ...bars,
      `<line x1="${LEFT}" x2="${WIDTH - 20}" y1="${bottom}" y2="${bottom}" stroke="#999"/>`,
      ...(detected ? [line(detected.at, '#1f5fa8', `detected: ${escapeXml(detected.signal.text)}`)] : []),
      ...(recoveredAfterMs === undefined ? [] : [line(faultEndedAt + recoveredAfterMs, '#2d7d46', 'recovered')]),
    ].join('')
  })
  const height = 60 + all.length * ROW
  const ticks = Array.from({ length: Math.floor(longest / 5) + 1 }, (_, index) => 5 * index).map(
    (at) => `<text x="${x(at * 1_000)}" y="${height - 8}" fill="#666">${at} s</text>`,
  )
  const legend = 'yellow: the fault; red: failed requests; blue: first signal; green: recovered'
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    `<text x="10" y="20">${legend}</text>`,
    ...rows,
    ...ticks,
    '</svg>',
    '',
  ].join('\n')
}
