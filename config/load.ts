import { readFileSync, statSync } from 'node:fs'
import { parse } from 'dotenv'
import { type Config, contradictions, type Name, type Problem, RELOADABLE, SECRETS, schema } from './env.ts'
import { maskSecret, maskUrl } from './mask.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface LoadOptions {
  /** Returns the contents of a text file. Throws an error with a `code` when it cannot be read. */
  readonly readFile?: (path: string) => string
}

/** The configuration is invalid. `message` has one line for each problem and shows no secret. */
export class ConfigError extends Error {
  readonly code = 'invalid_config'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      `invalid configuration, ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}:\n${problems.map((problem) => `  ${problem}`).join('\n')}`,
    )
    this.name = 'ConfigError'
    this.problems = problems
  }
}

/** Accepts small regular files only, because reading a device or a pipe may never end. */
function readTextFile(path: string): string {
  const file = statSync(path)
  if (!file.isFile() || file.size > 1024 * 1024) {
    throw Object.assign(new Error(), { code: 'not a regular file of at most 1 MiB' })
  }
  return readFileSync(path, 'utf8')
}

/**
 * Reads the configuration once and returns a frozen value. An empty variable counts as unset, because compose files and
 * manifests write unset variables that way.
 *
 * @throws ConfigError with every problem at once
 */
export function loadConfig(environment: Environment, options: LoadOptions = {}): Config {
  const fixed = readSecrets(withEnvFile(environment, options), options)
  const settings = readSettings(fixed.values['SETTINGS_FILE'], options)
  return validate({ ...fixed.values, ...settings.values }, [...fixed.problems, ...settings.problems])
}

/**
 * Reads the listening address and nothing else. A running service stays healthy when someone breaks its settings file
 * or a secret's file afterwards, so a health check must not read them.
 *
 * @throws ConfigError when HOST or PORT is invalid
 */
export function loadAddress(environment: Environment, options: LoadOptions = {}): Pick<Config, 'HOST' | 'PORT'> {
  const { HOST, PORT } = withEnvFile(environment, options)
  return validate({ HOST, PORT }, [])
}

/** Values before their validation, and the problems found while reading them. */
export interface Reading {
  readonly values: Environment
  readonly problems: readonly string[]
}

/**
 * Validates the values and returns one frozen configuration.
 *
 * @throws ConfigError with every problem at once, those of `found` first
 */
export function validate(values: Environment, found: readonly string[]): Config {
  const problems = [...found]
  const config: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(schema)) {
    const given = values[name]
    const result = variable.safeParse(given)
    if (result.success) config[name] = freeze(result.data)
    else {
      const expected = given === undefined ? 'a value' : (result.error.issues[0]?.message ?? '')
      problems.push(describeProblem({ name, expected }, given))
    }
  }
  for (const problem of contradictions(config as Partial<Config>)) {
    problems.push(describeProblem(problem, values[problem.name] ?? String(config[problem.name])))
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config) as Config
}

/** Returns the effective values as JSON, without unset variables. Secrets, and URLs' credentials and queries, are masked. */
export function describeConfig(config: Config): string {
  const mask = (name: string, value: unknown) => {
    if (SECRETS.has(name) && value !== undefined) return maskSecret(name, String(value))
    return typeof value === 'string' ? maskUrl(value) : value
  }
  return JSON.stringify(config, mask, 2)
}

/** In development, adds the variables of `.env` that the environment does not set. */
export function withEnvFile(environment: Environment, { readFile = readTextFile }: LoadOptions = {}): Environment {
  const set = withoutEmpty(environment)
  if (set['NODE_ENV'] !== 'development') return set
  try {
    const defaults = { ...withoutEmpty(parse(readFile('.env'))) }
    for (const name of SECRETS) {
      // Otherwise X in the environment and X_FILE in the file would contradict each other.
      if (set[name] !== undefined || set[`${name}_FILE`] !== undefined) {
        delete defaults[name]
        delete defaults[`${name}_FILE`]
      }
    }
    return { ...defaults, ...set }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return set
    throw new ConfigError([`.env: expected a file that can be read (${code})`])
  }
}

const withoutEmpty = (environment: Environment): Environment =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))

/** Replaces each `X_FILE` of a secret with `X` and the contents of that file. */
export function readSecrets(environment: Environment, { readFile = readTextFile }: LoadOptions = {}): Reading {
  const problems: string[] = []
  const values = { ...environment }
  for (const name of SECRETS) {
    const path = environment[`${name}_FILE`]
    if (!path) continue
    // The value may be the secret itself, set under the wrong name.
    const file = `${name}_FILE: got ${/^\.{0,2}\/(?!\/)/.test(path) ? JSON.stringify(path) : 'no path (not shown)'},`
    if (values[name]) {
      problems.push(`${file} expected to be unset, because ${name} is set too`)
      continue
    }
    try {
      values[name] = readFile(path).trim()
      delete values[`${name}_FILE`]
      if (values[name] === '') problems.push(`${file} expected a file that is not empty`)
    } catch (error) {
      problems.push(`${file} expected a file that can be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return { values, problems }
}

/** Reads SETTINGS_FILE. An empty value counts as unset unless the variable accepts an empty text. */
export function readSettings(path: string | undefined, { readFile = readTextFile }: LoadOptions = {}): Reading {
  const problems: string[] = []
  const values: Record<string, string> = {}
  if (path === undefined) return { values, problems }
  const report = (expected: string) => problems.push(`SETTINGS_FILE: got ${JSON.stringify(path)}, expected ${expected}`)
  let content: unknown
  try {
    content = JSON.parse(readFile(path))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // Keep the position only: the rest of the message quotes the file, which may be a secret's by mistake.
    const [position = ''] = / \(line \d+ column \d+\)/.exec(message) ?? []
    report(code === undefined ? `a JSON file${position}` : `a file that can be read (${code})`)
    return { values, problems }
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    report('a JSON object of names and values')
    return { values, problems }
  }
  for (const [name, value] of Object.entries(content)) {
    if (!Object.hasOwn(schema, name)) report(`names of settings: there is no ${name}`)
    else if (!RELOADABLE.has(name)) report(`no ${name}: it cannot change while the service runs`)
    else if (value === '' && !schema[name as Name].safeParse(value).success) continue
    else if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value)
    else report(`a string, number or boolean for ${name}`)
  }
  return { values, problems }
}

function describeProblem({ name, expected }: Problem, given: string | undefined): string {
  let value = 'nothing'
  // Mask before cutting: without its @ a long password would not be recognised.
  if (given !== undefined)
    value = SECRETS.has(name) ? 'a secret value (not shown)' : JSON.stringify(maskUrl(given).slice(0, 100))
  return `${name}: got ${value}, expected ${expected}`
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}
