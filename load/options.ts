import * as z from 'zod'
import { schema as serviceSchema } from '../config/env.ts'
import type { Target } from './evidence.ts'
import { readScenario, type ScenarioFile, type Step } from './scenario.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Options of `make load` and `make capacity`. */
export interface CommonOptions {
  readonly scenario: ScenarioFile
  /** A running system. @default the full link on this machine */
  readonly system?: Target
  /** Variables of the service, such as OVERLOAD_WAIT_MS, which apply to the instances. */
  readonly serviceEnv: Readonly<Record<string, string>>
}

export interface LoadOptions extends CommonOptions {
  readonly steps: readonly Step[]
  readonly instances: number
}

const MAX_INSTANCES = 8
export const isCount = (value: number) => Number.isInteger(value) && value > 0
export const isInstances = (value: number) => isCount(value) && value <= MAX_INSTANCES
const isPositive = (value: number) => value > 0 && value < 1e9

/** A text. The problem of an invalid value names `expected`. */
const text = (expected: string, isValid: (text: string) => boolean) =>
  z.string(`expected ${expected}`).refine(isValid, { error: ({ input }) => `expected ${expected}, not «${input}»` })

const toNumbers = (text: string) => text.split(',').map(Number)

/** A list of numbers, separated by commas. */
export const numbers = (expected: string, isValid: (values: readonly number[]) => boolean) =>
  text(expected, (given) => isValid(toNumbers(given))).transform(toNumbers)

/** One number. */
export const number = (expected: string, isValid: (value: number) => boolean) =>
  text(expected, (given) => isValid(Number(given))).transform(Number)

/** The result of `parse`. The message of its error becomes the problem. */
export const parsed = <T>(parse: (text: string) => T) =>
  z.string().transform((text, context): T => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

const isHttp = (text: string) => /^https?:$/.test(URL.parse(text)?.protocol ?? '')

const commonSchema = z.object({
  URL: text('the address of a running system, such as http://127.0.0.1:8080', isHttp).optional(),
  METRICS: text('addresses such as http://127.0.0.1:9464/metrics', (given) => given.split(',').every(isHttp))
    .transform((given) => given.split(','))
    .optional(),
  SCENARIO: parsed(readScenario).prefault('ping'),
})

/**
 * Reads the variables of a schema, the common variables and those of the service. An empty variable is unset.
 *
 * @throws Error with every problem, one a line
 */
export function readVariables<Values>(schema: z.ZodType<Values>, env: Environment) {
  const given = Object.fromEntries(Object.entries(env).filter(([, text]) => text))
  const [common, own] = [commonSchema.safeParse(given), schema.safeParse(given)]
  const issues = [...(common.error?.issues ?? []), ...(own.error?.issues ?? [])]
  const problems = issues.map(({ path, message }) => `${path.join()}: ${message}`)
  const serviceEnv: Record<string, string> = {}
  for (const [name, variable] of Object.entries(serviceSchema)) {
    const text = given[name]
    if (text === undefined) continue
    serviceEnv[name] = text
    // The problem does not show the value, which may be a secret.
    const [issue] = variable.safeParse(text).error?.issues ?? []
    if (issue && !issues.some(({ path }) => path[0] === name)) problems.push(`${name}: expected ${issue.message}`)
  }
  if (problems.length > 0 || !common.success || !own.success) throw new Error(problems.join('\n'))
  const { URL: url, METRICS: metrics, SCENARIO: scenario } = common.data
  const system = url && { url, ...(metrics && { metrics }) }
  return { values: own.data, common: { scenario, serviceEnv, ...(system && { system }) } }
}

/** Reads the variables of `make load`. @throws Error with every problem, one a line */
export function readLoadOptions(env: Environment): LoadOptions {
  const rates = numbers('requests per second, such as 100,200', (values) => values.every(isPositive)).optional()
  const { values, common } = readVariables(
    z.object({
      STEPS: rates,
      RATE: rates,
      DURATION_S: number('seconds', isPositive).optional(),
      INSTANCES: number(`a number from 1 to ${MAX_INSTANCES}`, isInstances).default(1),
    }),
    env,
  )
  const { STEPS, RATE, DURATION_S, INSTANCES: instances } = values
  const steps = (STEPS ?? RATE)?.map((rate) => ({ rate, durationS: 5 })) ?? common.scenario.steps
  return {
    ...common,
    instances,
    steps: steps.map(({ rate, durationS }) => ({ rate, durationS: DURATION_S ?? durationS })),
  }
}

/** Returns the options. For invalid options, prints the problems and exits with 64. */
export function readOrExit<Options>(read: () => Options, usage: string): Options {
  try {
    return read()
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exit(64)
  }
}
