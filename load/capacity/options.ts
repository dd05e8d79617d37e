import { type Objective, parseSlo } from './slo.ts'

export interface CapacityOptions {
  /** Requests per second of all instances. */
  readonly target: number
  readonly slo: readonly Objective[]
  readonly sloText: string
  readonly scenario: string
  /** Numbers of instances to measure, in rising order. With `url`, the number of instances behind it. */
  readonly instances: readonly number[]
  /** DATABASE_POOL_MAX of each instance. */
  readonly poolMax: number
  readonly zones: number
  readonly headroom: number
  /** `max_connections` of PostgreSQL. */
  readonly maxConnections: number
  /** Cores of the database in the simulation. */
  readonly databaseCores: number
  readonly isQuick: boolean
  readonly url?: string
  /** The addresses of the metrics of the instances behind `url`. */
  readonly metrics?: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Reads the variables of `make capacity`.
 *
 * @throws Error with every problem, one a line
 */
export function readOptions(env: Environment, cores: number): CapacityOptions {
  const problems: string[] = []

  function number(
    name: string,
    fallback: number | undefined,
    expected: string,
    isValid: (value: number) => boolean,
  ): number {
    const text = env[name] || undefined
    const value = text === undefined ? fallback : Number(text)
    if (value !== undefined && isValid(value)) return value
    problems.push(`${name}: expected ${expected}${text === undefined ? '' : `, not «${text}»`}`)
    return Number.NaN
  }
  const isCount = (value: number) => Number.isInteger(value) && value > 0

  function readSlo(): readonly Objective[] {
    try {
      return parseSlo(env['SLO'] ?? '')
    } catch (error) {
      problems.push((error as Error).message)
      return []
    }
  }

  const isQuick = env['QUICK'] === '1'
  const url = env['URL'] || undefined
  if (url !== undefined && !/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    problems.push(`URL: expected the address of a running system, such as http://127.0.0.1:8080, not «${url}»`)
  }
  function readInstances(): readonly number[] {
    const text = env['INSTANCES'] || (url === undefined ? (isQuick ? '1,2' : '1,2,4') : '1')
    const numbers = text.split(',').map(Number)
    const isRising = numbers.every((each, index) => each > (numbers[index - 1] ?? 0))
    if (url !== undefined && numbers.length > 1) problems.push('INSTANCES: with URL, expected one number')
    else if (!numbers.every((each) => isCount(each) && each <= 8) || !isRising) {
      problems.push(`INSTANCES: expected rising numbers from 1 to 8, such as 1,2,4, not «${text}»`)
    }
    return numbers
  }

  const options: CapacityOptions = {
    target: number('TARGET', undefined, 'requests per second, such as 5000', (value) => value > 0 && value < 1e9),
    slo: readSlo(),
    sloText: env['SLO'] ?? '',
    scenario: env['SCENARIO'] || 'ping',
    instances: readInstances(),
    poolMax: number('DATABASE_POOL_MAX', 10, 'connections of each instance', isCount),
    zones: number('ZONES', 3, 'a number of zones from 1', isCount),
    headroom: number('HEADROOM', 0.3, 'a share from 0 to below 1', (value) => value >= 0 && value < 1),
    maxConnections: number('MAX_CONNECTIONS', 100, 'max_connections of PostgreSQL', isCount),
    databaseCores: number('DATABASE_CORES', cores, 'the cores of the database', isCount),
    isQuick,
    ...(url !== undefined && { url }),
    ...(url !== undefined && env['METRICS'] && { metrics: env['METRICS'].split(',') }),
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  return options
}
