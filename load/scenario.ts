import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import * as z from 'zod'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

const placeholder = /\{\{(\w+)\}\}/g

/** Placeholders that need no data set: the number of the request, and a random UUID. */
const BUILT_IN = ['index', 'uuid']

const requestSchema = z.strictObject({
  method: z.enum(METHODS).default('GET'),
  /** Placeholders are percent-encoded. */
  path: z.string().startsWith('/'),
  headers: z.record(z.string(), z.string()).default({}),
  /** Sent as JSON. A text that is one placeholder keeps the type of the value. */
  body: z.json().optional(),
})

/** Sends the request `count` times before the load, and takes a field of each response. */
const createdSetSchema = z.strictObject({
  request: requestSchema,
  take: z.string(),
  count: z.int().min(1).max(10_000),
})

const dataSchema = z.union([z.array(z.union([z.string(), z.number()])).min(1), createdSetSchema])

const stepSchema = z.strictObject({ rate: z.number().positive(), durationS: z.number().positive() })

const schema = z
  .strictObject({
    title: z.string().min(1),
    /** Values by the name of their placeholder. */
    data: z.record(z.string().regex(/^\w+$/), dataSchema).default({}),
    operations: z
      .array(z.strictObject({ name: z.string().min(1), weight: z.number().positive(), ...requestSchema.shape }))
      .min(1),
    /**
     * Users who arrive at a steady rate, send this many requests, and think between them. The rate of a step stays the
     * rate of requests. @default each request arrives alone
     */
    session: z
      .strictObject({
        requests: z.int().min(2),
        thinkMs: z
          .tuple([z.number().min(0), z.number().min(0)])
          .refine(([min, max]) => min <= max, 'expected the minimum, then the maximum'),
      })
      .optional(),
    /** Time limit of a request from its intended start, in milliseconds. */
    timeoutMs: z.number().positive().default(5_000),
    /** Time with load before the measurement of each step, in seconds. */
    warmUpS: z.number().min(0).default(2),
    steps: z.array(stepSchema).min(1),
    /** The limits of the steps up to `upTo` requests a second. The steps above find the knee and have no limits. */
    limits: z.strictObject({
      upTo: z.number().positive(),
      p99Ms: z.number().positive(),
      /** Share of the requests that may fail. */
      errorShare: z.number().min(0).max(1).default(0),
    }),
  })
  .superRefine(({ data, operations, session, warmUpS, steps, limits }, context) => {
    const known = new Set([...Object.keys(data), ...BUILT_IN])
    const check = (request: z.output<typeof requestSchema>, path: (string | number)[], names: ReadonlySet<string>) => {
      for (const name of findPlaceholders(request)) {
        if (!names.has(name)) context.addIssue({ code: 'custom', path, message: `unknown placeholder {{${name}}}` })
      }
    }
    for (const [index, operation] of operations.entries()) check(operation, ['operations', index], known)
    for (const [name, set] of Object.entries(data)) {
      if (BUILT_IN.includes(name)) {
        context.addIssue({ code: 'custom', path: ['data', name], message: 'a built-in placeholder has this name' })
      }
      if (!Array.isArray(set)) check(set.request, ['data', name, 'request'], new Set(BUILT_IN))
    }
    const longestS = session === undefined ? 0 : ((session.requests - 1) * session.thinkMs[1]) / 1_000
    if (warmUpS < longestS) {
      const message = `expected at least ${longestS}, the longest session, because the rate rises until then`
      context.addIssue({ code: 'custom', path: ['warmUpS'], message })
    }
    if (steps.every(({ rate }) => rate > limits.upTo)) {
      context.addIssue({ code: 'custom', path: ['limits', 'upTo'], message: 'no step has a rate up to this limit' })
    }
  })

export type Scenario = z.output<typeof schema>
export type CreatedSet = z.output<typeof createdSetSchema>
export type RequestTemplate = z.output<typeof requestSchema>
export type Step = z.output<typeof stepSchema>

const findPlaceholders = (request: RequestTemplate): string[] =>
  [...JSON.stringify([request.path, request.headers, request.body]).matchAll(placeholder)].map(([, name = '']) => name)

/** Validates a scenario. @throws Error with all problems, one a line */
export function parseScenario(text: string, file: string): Scenario {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new Error(`${file} is not a JSON file: ${(error as Error).message}`)
  }
  const { data, error } = schema.safeParse(value)
  if (error === undefined) return data
  const lines = error.issues.map(({ path, message }) => `  ${path.join('.') || 'scenario'}: ${message}`)
  throw new Error(`${file} is not a valid scenario:\n${lines.join('\n')}`)
}

/** A scenario with its name and its SQL, which runs in the database of this machine first. */
export type ScenarioFile = Scenario & { readonly name: string; readonly sql: string | undefined }

/**
 * Reads load/scenarios/<name>.json, or the file at a path that ends with `.json`. Also reads the `.sql` file with the
 * same name, if it exists.
 *
 * @throws Error with the names of the scenarios when the folder has no such file
 */
export function readScenario(name: string): ScenarioFile {
  const folder = join(import.meta.dirname, 'scenarios')
  const names = globSync('*.json', { cwd: folder }).map((file) => basename(file, '.json'))
  const isPath = name.endsWith('.json')
  if (isPath ? !existsSync(name) : !names.includes(name)) {
    const known = names.sort().join(', ')
    throw new Error(`unknown scenario ${name}: expected ${known}, or the path of a .json file`)
  }
  const file = isPath ? name : join(folder, `${name}.json`)
  const sqlFile = file.replace(/json$/, 'sql')
  const sql = existsSync(sqlFile) ? readFileSync(sqlFile, 'utf8') : undefined
  return { ...parseScenario(readFileSync(file, 'utf8'), isPath ? name : `load/scenarios/${name}.json`), name, sql }
}
