import type { Capacity, Row } from './evaluate.ts'
import { renderCommands, renderPatches, renderSettings } from './kubernetes.ts'
import type { CapacityOptions } from './options.ts'
import type { Sizing } from './sizing.ts'

export interface ReportInput {
  readonly options: CapacityOptions
  readonly capacity: Capacity
  /** The name of the service. */
  readonly name: string
  /** The resource that was saturated beyond the knee of a row, with its evidence. */
  readonly limits: ReadonlyMap<number, string>
  /** The machine of the measurement. */
  readonly machine: string
}

/** Largest deviation of the simulation from a measurement. */
const MAX_DEVIATION = 0.15

/** Returns a line for each row whose simulation is wrong, and for each knee of 0. */
export function listProblems({ rows }: Capacity): readonly string[] {
  const wrong = rows.filter(({ deviation = 0, reason }) => reason === undefined && Math.abs(deviation) > MAX_DEVIATION)
  return [
    ...wrong.map(
      ({ instances, deviation = 0 }) =>
        `DEVIATION: the simulation of ${instances} instances deviates by ${showDeviation(deviation)}, limit ${100 * MAX_DEVIATION} %`,
    ),
    ...rows.flatMap(({ instances, measured }) => {
      if (measured?.ratePerSecond !== 0) return []
      const isLate = measured.limit === 'generator'
      return [isLate ? `NO VERDICT: ${describeLate(instances)}` : `NO CAPACITY: ${describeFailed(instances)}`]
    }),
  ]
}

const countInstances = (instances: number) => `${instances} ${instances === 1 ? 'instance' : 'instances'}`
const describeFailed = (instances: number) => `${countInstances(instances)} failed at the lowest rate`
const describeLate = (instances: number) => `the generator was late at the lowest rate of ${countInstances(instances)}`

const round = (value: number | undefined) => (value === undefined ? '–' : Math.round(value).toLocaleString('en-US'))

/** Renders the result as Markdown, which is also readable in a terminal. */
export function renderReport(input: ReportInput): string {
  const { options, capacity } = input
  const { durationS, warmUpS, resolution, repetitions } = capacity.window
  const command = [
    `make capacity TARGET=${options.target} SLO='${options.sloText}' SCENARIO=${options.scenario.name}`,
    `INSTANCES=${options.instances.join(',')}${options.isQuick ? ' QUICK=1' : ''}`,
    options.system === undefined ? `DATABASE_POOL_MAX=${options.poolMax}` : `URL=${options.system.url}`,
  ].join(' ')
  return `${[
    `# Capacity: ${options.scenario.name}, ${options.sloText}`,
    `\`${command}\` on ${input.machine}.`,
    `Each measurement took ${durationS} s after a warm-up of ${warmUpS} s. The search ended at steps of ${
      100 * resolution
    } %, with ${repetitions} measurements of each rate near the knee.`,
    renderKnees(input),
    renderSizing(input),
  ].join('\n\n')}\n`
}

function renderKnees({ capacity: { rows }, limits }: ReportInput): string {
  const cells = ({ instances, measured, simulated, simulatedRandom, deviation, reason }: Row) => [
    String(instances),
    measured ? `${round(measured.ratePerSecond)}` : 'not measured',
    measured ? `${round(measured.low)} to ${measured.high === undefined ? '?' : round(measured.high)}` : '–',
    round(simulated),
    deviation === undefined ? (reason ?? '') : `${showDeviation(deviation)}${reason ? ` (not judged: ${reason})` : ''}`,
    round(simulatedRandom),
  ]
  const header = [
    'instances',
    'knee, measured (requests/s)',
    'interval',
    'knee, simulated',
    'deviation',
    'knee, simulated with random arrivals',
  ]
  const table = [header, header.map(() => '---'), ...rows.map(cells)].map((row) => `| ${row.join(' | ')} |`)
  const notes = rows.flatMap(({ instances, measured }) => {
    if (!measured) return []
    const of = countInstances(instances)
    const limit = limits.get(instances)
    return [
      ...(limit === undefined ? [] : [`- The limit of ${of}: ${limit}`]),
      ...(measured.limit === 'generator'
        ? [`- The generator was late beyond the knee of ${of}. The knee is a lower bound.`]
        : []),
      ...(measured.limit === 'highest' ? [`- ${of} held the highest rate. The knee is a lower bound.`] : []),
      ...(measured.limit === 'lowest' ? [`- ${describeFailed(instances)}.`] : []),
    ]
  })
  return [...table, ...(notes.length > 0 ? ['', ...notes] : [])].join('\n')
}

const showDeviation = (share: number) => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} %`

function renderSizing({ options, capacity, name }: ReportInput): string {
  const { sizing } = capacity
  const { target, headroom, zones } = options
  const percent = Math.round(100 * headroom)
  const loss = zones > 1 ? `one of ${zones} zones lost` : 'one zone, without a plan for its loss'
  const title = `## ${round(target)} requests/s with ${percent} % headroom and ${loss}`
  if (sizing === undefined) {
    return `${title}\n\nThe knee is 0, so no number of replicas carries the target. Relax the SLO, or make a request faster.`
  }
  const settings = renderSettings(sizing)
  return [
    title,
    describeSizing(sizing, capacity, options).join('\n'),
    '### Kubernetes',
    'In `overlays/production/kustomization.yaml`, in place of its `patches`:',
    `\`\`\`yaml\n${renderPatches(sizing, name)}\n\`\`\``,
    ...(settings.length > 0 ? [`In \`base/settings.env\`:\n\n\`\`\`sh\n${settings.join('\n')}\n\`\`\``] : []),
    'At once, until the next `kubectl apply -k`:',
    `\`\`\`sh\n${renderCommands(sizing, name).join('\n')}\n\`\`\``,
  ].join('\n\n')
}

function describeSizing(sizing: Sizing, { use, isTargetHeld }: Capacity, options: CapacityOptions): readonly string[] {
  const { replicas, lost, needed, rate, cpuMillis, memoryMib, pool, databaseCores } = sizing
  const lines = [
    `- Replicas: ${replicas}. ${needed} carry the target at ${round(rate)} requests/s each; ${lost} may be lost.`,
    memoryMib &&
      `- Memory: request ${memoryMib.request} MiB, limit ${memoryMib.limit} MiB (${round((use.rssBytes ?? 0) / 1024 ** 2)} MiB measured).`,
    cpuMillis && `- CPU request: ${cpuMillis}m, the use of one instance at its knee.`,
    cpuMillis &&
      cpuMillis < 100 &&
      '- CPU is not the limit of this scenario. An autoscaler that follows CPU reacts late: keep minReplicas.',
    pool &&
      `- Pool: DATABASE_POOL_MAX=${pool.perInstance}. A request holds a connection for ${(use.connectionMs ?? 0).toFixed(1)} ms. PostgreSQL needs max_connections=${pool.needed} for the roll-out of all replicas.`,
    pool?.pooler && describePooler(pool.pooler, options.maxConnections),
    databaseCores !== undefined &&
      `- Database: ${databaseCores.toFixed(1)} cores for the target with the headroom. More replicas do not change this.`,
    isTargetHeld !== undefined &&
      `- Simulation: ${needed} replicas and a database with ${options.databaseCores} cores ${isTargetHeld ? 'hold' : 'do NOT hold'} the target.`,
  ]
  return lines.filter((line) => typeof line === 'string')
}

function describePooler(pooler: NonNullable<NonNullable<Sizing['pool']>['pooler']>, maxConnections: number): string {
  const { maxClientConn, defaultPoolSize, isEnough } = pooler
  const advice = `max_connections is ${maxConnections}. Put PgBouncer in front, in transaction mode, with max_client_conn=${maxClientConn} and default_pool_size=${defaultPoolSize}.`
  return isEnough
    ? `- ${advice}`
    : `- ${advice} The work needs more connections than PostgreSQL has: raise max_connections too.`
}
