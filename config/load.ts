import { readFileSync, statSync } from 'node:fs'
import { parse } from 'dotenv'
import * as z from 'zod/mini'
import { type Config, contradictions, type Name, type Problem, RELOADABLE, SECRETS, schema } from './env.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export interface LoadOptions {
  /** Contents of a text file; throws an error with a `code` when it cannot be read. */
  readonly readFile?: (path: string) => string
}

/** The configuration cannot be used. `message` has one line a problem and shows no secret. */
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

/** Of a regular file of a size that makes sense: a device or a pipe would be read for ever. */
function readTextFile(path: string): string {
  const file = statSync(path)
  if (!file.isFile() || file.size > 1024 * 1024) {
    throw Object.assign(new Error(), { code: 'no file of at most 1 MiB' })
  }
  return readFileSync(path, 'utf8')
}

/**
 * Reads the environment once into a frozen value. An empty variable counts as unset, as compose
 * files and manifests write it. ENV_FILE stands below it, in development `.env`.
 *
 * @throws ConfigError with every problem at once
 */
export function loadConfig(environment: Environment, options: LoadOptions = {}): Config {
  const fixed = readSecrets(withEnvFile(environment, options.readFile), options)
  const settings = readSettings(fixed.values, options)
  return validate({ ...fixed.values, ...settings.values }, [...fixed.problems, ...settings.problems])
}

/**
 * Where the service listens, and nothing else: one that runs is not ill because a file of settings or of a secret
 * has a mistake since.
 *
 * @throws ConfigError when these two are wrong
 */
export function loadAddress(environment: Environment, options: LoadOptions = {}): Pick<Config, 'HOST' | 'PORT'> {
  const { HOST, PORT } = withEnvFile(environment, options.readFile)
  return validate({ HOST, PORT }, [])
}

/** Values that were read, not yet validated, and what was wrong with how they are given. */
export interface Reading {
  readonly values: Environment
  readonly problems: readonly string[]
}

/**
 * The values as one frozen configuration.
 *
 * @throws ConfigError with every problem at once, those given included
 */
export function validate(values: Environment, given: readonly string[]): Config {
  const problems = [...given]
  const config: Record<string, unknown> = {}
  for (const [name, variable] of Object.entries(schema)) {
    const result = z.safeParse(variable, values[name])
    if (result.success) config[name] = freeze(result.data)
    else problems.push(describe({ name, expected: result.error.issues[0]?.message ?? '' }, values[name]))
  }
  for (const problem of contradictions(config as Partial<Config>)) {
    problems.push(describe(problem, values[problem.name] ?? String(config[problem.name])))
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config) as Config
}

/** The effective values as JSON text, secrets masked, unset variables left out. */
export function describeConfig(config: Config): string {
  const shown = (name: string, value: unknown) =>
    SECRETS.has(name) && value !== undefined ? masked(name, String(value)) : value
  return JSON.stringify(config, shown, 2)
}

/** The environment with ENV_FILE, in development `.env`, below it: what is set for real wins. */
export function withEnvFile(environment: Environment, readFile = readTextFile): Environment {
  const set = withoutEmpty(environment)
  const named = set['ENV_FILE']
  if (named === undefined && set['NODE_ENV'] !== 'development') return set
  try {
    const below = { ...withoutEmpty(parse(readFile(named ?? '.env'))) }
    for (const name of SECRETS) {
      // What is set for real wins in either form.
      if (set[name] !== undefined || set[`${name}_FILE`] !== undefined) {
        delete below[name]
        delete below[`${name}_FILE`]
      }
    }
    return { ...below, ...set }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' && named === undefined) return set
    throw new ConfigError([
      `${named ? `ENV_FILE: got ${JSON.stringify(named)},` : '.env:'} expected a file that can be read (${code})`,
    ])
  }
}

const withoutEmpty = (environment: Environment): Environment =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))

/** The environment with each secret that stands in a file in the place of the file's name. */
export function readSecrets(environment: Environment, { readFile = readTextFile }: LoadOptions = {}): Reading {
  const problems: string[] = []
  const values = { ...environment }
  for (const name of SECRETS) {
    const path = environment[`${name}_FILE`]
    if (!path) continue
    // The secret itself, given under the wrong name, must not be shown either.
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

/** What SETTINGS_FILE holds. An empty value counts as unset where it is no value, as everywhere. */
export function readSettings(
  { SETTINGS_FILE: path }: Environment,
  { readFile = readTextFile }: LoadOptions = {},
): Reading {
  const problems: string[] = []
  const values: Record<string, string> = {}
  if (path === undefined) return { values, problems }
  const problem = (expected: string) =>
    problems.push(`SETTINGS_FILE: got ${JSON.stringify(path)}, expected ${expected}`)
  let content: unknown
  try {
    content = JSON.parse(readFile(path))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // The rest of the message quotes the file, which may be a secret's that was named by mistake.
    const [where = ''] = / \(line \d+ column \d+\)/.exec(message) ?? []
    problem(code === undefined ? `a JSON file${where}` : `a file that can be read (${code})`)
    return { values, problems }
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problem('a JSON object of names and values')
    return { values, problems }
  }
  for (const [name, value] of Object.entries(content)) {
    if (!Object.hasOwn(schema, name)) problem(`names of settings: there is no ${name}`)
    else if (!RELOADABLE.has(name)) problem(`no ${name}: it cannot change while the service runs`)
    else if (value === '' && !z.safeParse(schema[name as Name], value).success) continue
    else if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value)
    else problem(`a string, number or boolean for ${name}`)
  }
  return { values, problems }
}

function describe({ name, expected }: Problem, given: string | undefined): string {
  const value = SECRETS.has(name)
    ? 'a secret value (not shown)'
    : JSON.stringify(given?.slice(0, 100).replace(/\/\/\S*@/g, '//***@'))
  return `${name}: got ${value}, expected ${expected}`
}

/** Keeps what tells one server from another, and nothing that opens it. */
function masked(name: string, secret: string): string {
  const url = name.endsWith('_URL') ? URL.parse(secret) : null
  if (url === null) return '***'
  const credentials = url.username + url.password === '' ? '' : '***@'
  return `${url.protocol}//${credentials}${url.host}${url.pathname}${url.search === '' ? '' : '?***'}`
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}
