import * as z from 'zod'

/*
 * The subset of the Chaos Toolkit's experiment format that we use. `chaos run` understands each file that this
 * module accepts in the same way: https://chaostoolkit.org/reference/api/experiment/
 */

const substitutable = z.union([z.number().nonnegative(), z.string().regex(/^\$\{\w+\}$/)])

const httpProvider = z.strictObject({
  type: z.literal('http'),
  url: z.string(),
  /** @default GET */
  method: z.string().optional(),
  headers: z.record(z.string(), z.string()).optional(),
  /** The query of GET. For other methods, the JSON body when Content-Type is application/json, else a form or a text. */
  arguments: z.union([z.string(), z.record(z.string(), z.unknown())]).optional(),
  /** In seconds. @default none */
  timeout: substitutable.optional(),
})

const processProvider = z.strictObject({
  type: z.literal('process'),
  /** A command on the PATH. Variables are not replaced here. */
  path: z.string().refine((path) => !path.includes('${'), 'variables are not replaced in the path'),
  /** A list, or a text for the shell. */
  arguments: z.union([z.string(), z.array(z.union([z.string(), z.number()]))]).optional(),
  /** In seconds. @default none */
  timeout: z.number().positive().optional(),
})

const activityShape = {
  name: z.string().min(1),
  provider: z.discriminatedUnion('type', [httpProvider, processProvider]),
  /** In seconds. */
  pauses: z.strictObject({ before: substitutable.optional(), after: substitutable.optional() }).optional(),
}

/** An invalid pattern would fail only after the fault. */
const pattern = z.string().refine((text) => {
  try {
    return Boolean(new RegExp(text))
  } catch {
    return false
  }
}, 'expected a regular expression')

const target = z.enum(['status', 'body', 'stdout', 'stderr'])

const tolerance = z.union([
  // The HTTP status, or the exit code.
  z.int(),
  z.array(z.int()).min(1),
  z.strictObject({ type: z.literal('range'), target, range: z.tuple([z.number(), z.number()]) }),
  z.strictObject({ type: z.literal('regex'), target, pattern }),
])

const probe = z.strictObject({ type: z.literal('probe'), ...activityShape, tolerance })

const activity = z.strictObject({
  type: z.enum(['action', 'probe']),
  ...activityShape,
  /** The method continues at once, and ends after the activity. @default false */
  background: z.boolean().optional(),
})

const experimentSchema = z.strictObject({
  version: z.literal('1.0.0'),
  title: z.string().min(1),
  description: z.string().min(1),
  tags: z.array(z.string()).optional(),
  configuration: z
    .record(
      z.string(),
      z.union([
        z.string(),
        z.number(),
        z.strictObject({
          type: z.literal('env'),
          key: z.string(),
          default: z.union([z.string(), z.number()]).optional(),
          /** @default str */
          env_var_type: z.enum(['str', 'int', 'float']).optional(),
        }),
      ]),
    )
    .default({}),
  'steady-state-hypothesis': z.strictObject({ title: z.string().min(1), probes: z.array(probe).min(1) }),
  method: z.array(activity).min(1),
  rollbacks: z.array(activity).default([]),
  /** Options of other tools, which the runner ignores. */
  extensions: z.array(z.looseObject({ name: z.string(), signal: pattern.optional() })).default([]),
})

export type Experiment = Readonly<z.infer<typeof experimentSchema>>
export type Probe = z.infer<typeof probe>
export type Activity = z.infer<typeof activity>
export type Tolerance = z.infer<typeof tolerance>
export type Provider = Activity['provider']
export type Variables = Readonly<Record<string, string | number>>

const VARIABLE = /\$\{(\w+)\}/g

/** Joins the keys of a place: `method[1].provider.url`. */
const place = (path: readonly PropertyKey[]) =>
  path.map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index > 0 ? '.' : ''}${String(key)}`)).join('')

/** Lists the problems of the alternative that fits best, because a union reports only that no alternative fits. */
function listIssues(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): string[] {
  return issues.flatMap((issue) => {
    const path = [...prefix, ...issue.path]
    const line = [place(path), issue.message].filter(Boolean).join(': ')
    if (issue.code !== 'invalid_union') return [line]
    const isTyped = (errors: readonly z.core.$ZodIssue[]) => !errors.some((each) => each.path.at(-1) === 'type')
    const best = issue.errors.findLast((errors) => isTyped(errors) && errors.some((each) => each.path.length > 0))
    const unknown = issue.errors.find((errors) => errors.every(({ code }) => code === 'unrecognized_keys'))
    const chosen = unknown ?? best
    return chosen ? listIssues(chosen, path) : [line]
  })
}

function listUnknownVariables(value: unknown, known: ReadonlySet<string>, path: readonly PropertyKey[]): string[] {
  if (typeof value === 'string') {
    const names = [...value.matchAll(VARIABLE)].map(([, name = '']) => name)
    return names.filter((name) => !known.has(name)).map((name) => `${place(path)}: ${name} is not in the configuration`)
  }
  if (typeof value !== 'object' || value === null) return []
  const isList = Array.isArray(value)
  return Object.entries(value).flatMap(([key, each]) =>
    listUnknownVariables(each, known, [...path, isList ? Number(key) : key]),
  )
}

/** Parses an experiment. @throws with each problem and its place: unknown keys, providers, tolerances and variables */
export function parseExperiment(text: string, file: string): Experiment {
  const fail = (problems: readonly string[]) => new Error(problems.map((problem) => `${file}: ${problem}`).join('\n'))
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fail([(error as Error).message])
  }
  const parsed = experimentSchema.safeParse(value)
  if (!parsed.success) throw fail(listIssues(parsed.error.issues))
  const { configuration, ...rest } = parsed.data
  const unknown = listUnknownVariables(rest, new Set(Object.keys(configuration)), [])
  if (unknown.length > 0) throw fail(unknown)
  return parsed.data
}

/** Lists the variables without a default that are unset. */
export const listUnset = ({ configuration }: Experiment, env: Readonly<Record<string, string | undefined>>) =>
  Object.values(configuration).flatMap((value) =>
    typeof value === 'object' && value.default === undefined && env[value.key] === undefined ? [value.key] : [],
  )

/** Returns the values of the configuration. @throws when a variable without a default is unset */
export function resolveConfiguration(
  { configuration }: Experiment,
  env: Readonly<Record<string, string | undefined>>,
): Variables {
  return Object.fromEntries(
    Object.entries(configuration).map(([name, value]) => {
      if (typeof value !== 'object') return [name, value]
      const resolved = env[value.key] ?? value.default
      if (resolved === undefined) throw new Error(`configuration.${name}: the variable ${value.key} is unset`)
      const isNumber = value.env_var_type !== undefined && value.env_var_type !== 'str'
      return [name, isNumber ? Number(resolved) : resolved]
    }),
  )
}

/** Replaces `${name}` in a text. A text that is only `${name}` keeps the type of the value. */
export function substitute<T>(value: T, variables: Variables): T {
  if (typeof value === 'string') {
    const [, name] = /^\$\{(\w+)\}$/.exec(value) ?? []
    if (name !== undefined) return variables[name] as T
    return value.replace(VARIABLE, (_, key: string) => String(variables[key])) as T
  }
  if (Array.isArray(value)) return value.map((each) => substitute(each, variables)) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, substitute(each, variables)])) as T
}
