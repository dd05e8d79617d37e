import { readFileSync, statSync } from 'node:fs'
import { parse } from 'dotenv'
import { type Config, findContradictions, type Name, type Problem, SECRETS, schema } from './env.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Throws an error with a `code` when the file cannot be read. */
export type ReadFile = (path: string) => string

/** The configuration is invalid. `message` has one line for each problem and shows no secret. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    super([`invalid configuration, ${count}:`, ...problems].join('\n  '))
    this.problems = problems
  }
}

/** Accepts small regular files only, because reading a device or a pipe may never end. */
export function readTextFile(path: string): string {
  const file = statSync(path)
  if (!file.isFile() || file.size > 1024 * 1024) {
    throw Object.assign(new Error(), { code: 'not a regular file of at most 1 MiB' })
  }
  return readFileSync(path, 'utf8')
}

/**
 * Reads only the listening address: `app healthcheck` must succeed even when a file that the running service has read
 * is now invalid. @throws ConfigError
 */
export function loadAddress(environment: Environment): Pick<Config, 'HOST' | 'PORT'> {
  const { HOST, PORT } = withEnvFile(environment)
  return validate({ HOST, PORT })
}

/** Returns one frozen configuration. @throws ConfigError with all problems together, those in `problems` first */
export function validate(values: Environment, problems: string[] = []): Config {
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
  for (const problem of findContradictions(config)) {
    problems.push(describeProblem(problem, values[problem.name] ?? String(config[problem.name])))
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return Object.freeze(config) as Config
}

/**
 * Removes empty variables, because compose files and manifests write unset variables that way. In development, adds the
 * variables of `.env` that the environment does not set.
 */
export function withEnvFile(environment: Environment, readFile: ReadFile = readTextFile): Environment {
  const set = withoutEmpty(environment)
  if (set['NODE_ENV'] !== 'development') return set
  try {
    const defaults = withoutEmpty(parse(readFile('.env')))
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

const withoutEmpty = (environment: Environment) =>
  Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''))

/**
 * Reads the variables of one command. It ignores other variables, so that the command starts even when the service
 * cannot. Appends errors to `problems`.
 *
 * @public for the commands of optional capabilities
 */
export function readVariables(
  environment: Environment,
  names: readonly Name[],
  readFile: ReadFile,
  problems: string[],
): Environment {
  const given = withEnvFile(environment, readFile)
  const all = names.flatMap((name) => (SECRETS.has(name) ? [name, `${name}_FILE`] : [name]))
  return readSecrets(Object.fromEntries(all.map((name) => [name, given[name]])), readFile, problems)
}

/** Replaces each `X_FILE` of a secret with `X` and the contents of that file. Appends errors to `problems`. */
export function readSecrets(environment: Environment, readFile: ReadFile, problems: string[]): Environment {
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
      if (values[name] === '') problems.push(`${file} expected a file that is not empty`)
    } catch (error) {
      problems.push(`${file} expected a file that can be read (${(error as NodeJS.ErrnoException).code})`)
    }
  }
  return values
}

/**
 * Returns the environment of a command, such as kubectl or nginx: the variables without the secrets of the service. An
 * `X_FILE` may have the secret itself as its value, by mistake.
 */
export const withoutSecrets = (environment: Environment): Environment =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !SECRETS.has(name.replace(/_FILE$/, ''))))

/**
 * Returns the effective values as JSON, without unset variables. Secrets, and URLs' credentials and queries, are
 * masked.
 */
export function describeConfig(config: Config): string {
  const mask = (name: string, value: unknown) => {
    if (SECRETS.has(name) && !name.endsWith('_URL')) return value && '***'
    return typeof value === 'string' ? maskUrl(value) : value
  }
  return JSON.stringify(config, mask, 2)
}

/** Connections of the health check, in addition to the pool. */
const CHECK_CONNECTIONS = 1

/** Describes how many connections PostgreSQL must allow, or returns undefined when the service has no database. */
export function describeConnections({ DATABASE_URL: url, DATABASE_POOL_MAX: pool }: Config): string | undefined {
  if (url === undefined) return undefined
  const connections = pool + CHECK_CONNECTIONS
  return `PostgreSQL connections: ${connections} for each instance (${pool} of DATABASE_POOL_MAX, ${CHECK_CONNECTIONS} of the health check).
max_connections must be at least: instances × ${connections}, with the old and the new instances of a roll-out, + 1 for app migrate, + 3 that PostgreSQL reserves.`
}

function describeProblem({ name, expected }: Problem, given: string | undefined): string {
  if (given === undefined) return `${name}: got nothing, expected ${expected}`
  // Mask the text before cutting it: a password that is cut before its @ would not be recognised.
  const value = JSON.stringify(maskUrl(given).slice(0, 100))
  return `${name}: got ${SECRETS.has(name) ? 'a secret value (not shown)' : value}, expected ${expected}`
}

/** Masks the credentials of a URL, and its query to the end of the text, because a query may contain any separator. */
export const maskUrl = (text: string) => text.replace(/^(?!\/[^/])(.*?\/\/)?.*@/s, '$1***@').replace(/[?#].*/s, '?***')

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    Object.values(value).forEach(freeze)
    Object.freeze(value)
  }
  return value
}
