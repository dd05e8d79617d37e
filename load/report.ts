import { findBottleneck, findFirstBottleneck, findOthers, OTHERS } from './bottleneck.ts'
import type { ChartPanel } from './chart.ts'
import type { StepResult } from './measure.ts'
import type { Scenario } from './scenario.ts'

export interface Verdict {
  /** Limits that a step has broken, one sentence each. */
  readonly broken: readonly string[]
  /**
   * Steps without a verdict, one sentence each: no request was due, the generator could not keep its rate, or the
   * machine was busy. A single sentence when no step has a rate up to `limits.upTo`.
   */
  readonly unknown: readonly string[]
  /** Highest achieved rate of a step that met the limits, in requests a second. Undefined when no step did. */
  readonly knee: number | undefined
}

type Limits = Scenario['limits']

/** Judges the steps up to `limits.upTo`. */
export function judge(steps: readonly StepResult[], limits: Limits): Verdict {
  const isSlow = ({ p99Ms }: StepResult) => p99Ms > limits.p99Ms
  const isFailing = ({ errorShare }: StepResult) => errorShare > limits.errorShare
  const isEmpty = ({ offered }: StepResult) => offered === 0
  const judged = steps.filter(({ rate }) => rate <= limits.upTo)
  const slow = judged.filter(isSlow).map((step) => ({ step, excuse: findExcuse(step) }))
  const late = slow.flatMap(({ step: { rate, p99Ms }, excuse }) =>
    excuse === undefined ? [`${rate}/s: p99 ${ms(p99Ms)}, expected at most ${ms(limits.p99Ms)}`] : [],
  )
  const failing = judged
    .filter(isFailing)
    .map(
      ({ rate, errorShare }) =>
        `${rate}/s: ${percent(errorShare)} errors, expected at most ${percent(limits.errorShare)}`,
    )
  const good = steps.filter((step) => !isSlow(step) && !isFailing(step) && !isEmpty(step))
  const excused = slow.flatMap(({ step, excuse }) => (excuse === undefined ? [] : [`${step.rate}/s: ${excuse}`]))
  const empty = judged.filter(isEmpty).map(({ rate }) => `${rate}/s: no request was sent`)
  return {
    broken: [...late, ...failing],
    unknown: judged.length === 0 ? [`no step has a rate up to ${limits.upTo}/s`] : [...excused, ...empty],
    knee: good.length === 0 ? undefined : Math.max(...good.map(({ achieved }) => achieved)),
  }
}

/** Returns why the machine has caused the latencies of a step. The errors of the step still count. */
function findExcuse(step: StepResult): string | undefined {
  const bottleneck = findBottleneck(step)
  if (bottleneck?.resource === 'generator') return bottleneck.reason
  return hasOthers(step) ? 'other programs used more than half of the cores' : undefined
}

const hasOthers = ({ evidence }: StepResult) =>
  findOthers(evidence) > OTHERS * (evidence.machine?.cores ?? Number.POSITIVE_INFINITY)

/** Renders the report in Markdown. */
export function renderReport(title: string, steps: readonly StepResult[], limits: Limits): string {
  const { broken, unknown, knee } = judge(steps, limits)
  const first = findFirstBottleneck(steps)
  const busy = steps.filter(hasOthers)
  const rows = steps.map((step) => [
    step.rate,
    step.offered.toFixed(0),
    step.achieved.toFixed(0),
    listErrors(step),
    ...[step.p50Ms, step.p95Ms, step.p99Ms, step.maxMs].map((value) => value.toFixed(1)),
    findBottleneck(step)?.resource ?? '–',
  ])
  const header = ['rate', 'offered', 'achieved', 'errors', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms', 'saturated']
  const evidence = ['rate', 'CPU in cores', 'event loop', 'pool', 'database', 'upstream', 'admission', 'lag']
  return [
    `# ${title}`,
    '',
    table(header, rows),
    '',
    table(
      evidence,
      steps.map((step) => [step.rate, ...describeEvidence(step)]),
    ),
    '',
    first === undefined
      ? 'No resource was saturated.'
      : `First saturated resource: ${first.resource} at ${first.step.rate}/s. ${capitalise(first.reason)}.`,
    knee === undefined
      ? 'No step met the limits.'
      : `Highest rate within the limits: ${knee.toFixed(0)}/s (p99 ${ms(limits.p99Ms)}, ${percent(limits.errorShare)} errors).`,
    ...(busy.length === 0
      ? []
      : [`Other programs used more than half of the cores at ${busy.map(({ rate }) => `${rate}/s`).join(', ')}.`]),
    '',
    ...broken.map((each) => `- BROKEN: ${each}`),
    ...unknown.map((each) => `- NO VERDICT: ${each}`),
    ...(broken.length + unknown.length === 0 ? [`The limits hold up to ${limits.upTo}/s.`] : []),
    '',
  ].join('\n')
}

/** Lists the throughput and the latency by rate. */
export function listPanels(title: string, steps: readonly StepResult[]): readonly ChartPanel[] {
  const line = (name: string, read: (step: StepResult) => number) => ({
    name,
    points: steps.map((step) => [step.rate, read(step)] as const),
  })
  const first = findFirstBottleneck(steps)
  const marks = first === undefined ? [] : [{ x: first.step.rate, label: first.resource }]
  return [
    {
      title: `${title}: throughput`,
      x: 'requests/s intended',
      y: 'requests/s',
      series: [
        line('offered', ({ offered }) => offered),
        line('achieved', ({ achieved }) => achieved),
        line('errors', ({ offered, achieved }) => offered - achieved),
      ],
      marks,
    },
    {
      title: `${title}: latency`,
      x: 'requests/s intended',
      y: 'ms',
      series: [line('p50', ({ p50Ms }) => p50Ms), line('p95', ({ p95Ms }) => p95Ms), line('p99', ({ p99Ms }) => p99Ms)],
      marks,
    },
  ]
}

function describeEvidence({ evidence }: StepResult): readonly string[] {
  const { generator, processes = [], loop, pool, database = {}, upstream, admission } = evidence
  const cpu = [...processes, { name: 'generator', cpu: generator.cpu ?? 0 }].filter(({ cpu }) => cpu >= 0.01)
  return [
    list(cpu.map(({ name, cpu }) => `${name} ${cpu.toFixed(2)}`)),
    loop ? `${percent(loop.utilization)}, ${ms(loop.delayMs)}` : '–',
    pool ? `${pool.used.toFixed(1)} of ${pool.open.toFixed(1)} used, ${pool.pending.toFixed(1)} pending` : '–',
    list(Object.entries(database).map(([activity, count]) => `${activity} ${count.toFixed(1)}`)),
    upstream ? `${upstream.inFlight} in flight, ${upstream.rejectedByConcurrency} refused` : '–',
    admission ? `${admission.refused} refused${admission.isBrownout ? ', brownout' : ''}` : '–',
    ms(generator.lagMs),
  ]
}

const listErrors = ({ errors }: StepResult) => list(Object.entries(errors).map(([kind, count]) => `${kind}: ${count}`))
const list = (items: readonly string[]) => items.join(', ') || '–'
const ms = (value: number) => `${value.toFixed(0)} ms`
const percent = (share: number) => `${(100 * share).toFixed(1).replace('.0', '')} %`
const capitalise = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)

/** Renders a table of Markdown whose columns are aligned, so that it is readable in a terminal too. */
function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const all = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [first = [], ...rest] = all
  return [line(first), line(widths.map((width) => '-'.repeat(width))), ...rest.map(line)].join('\n')
}
