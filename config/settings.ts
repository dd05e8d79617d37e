import { statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { type Config, type Name, RELOADABLE, schema } from './env.ts'
import { type Environment, maskUrl, type ReadFile, readSecrets, readTextFile, validate, withEnvFile } from './load.ts'

const WATCH_INTERVAL_MS = 1_000

/** Errors of a read that may succeed later although the file does not change: no file descriptor, and a failed disk. */
const TRANSIENT = new Set<unknown>(['EMFILE', 'ENFILE', 'EIO', 'ESTALE'])

export type Settings = ReturnType<typeof createSettings>

/** Reads the environment, the files of secrets and SETTINGS_FILE. @throws ConfigError with all problems together */
export function createSettings(environment: Environment, readFile: ReadFile = readTextFile) {
  const problems: string[] = []
  const fixed = readSecrets(withEnvFile(environment, readFile), readFile, problems)
  // `validate` reports an invalid path.
  const path = schema.SETTINGS_FILE.safeParse(fixed['SETTINGS_FILE']).data
  let identity: string | undefined

  function read(problems: string[]): Config {
    if (path === undefined) return validate(fixed, problems)
    // Identify the file before reading it, so that a later check detects a change in between.
    identity = identifyFile(path)
    return validate({ ...fixed, ...readSettings(path, readAgainLater, problems) }, problems)
  }

  /** Reads the file. After a transient error, the watch reports the same version of the file again. */
  function readAgainLater(path: string): string {
    try {
      return readFile(path)
    } catch (error) {
      if (TRANSIENT.has((error as NodeJS.ErrnoException).code)) identity = undefined
      throw error
    }
  }

  let current = read(problems)
  return {
    /** Returns the current values. Call it each time: a reload replaces them. */
    current: () => current,
    /**
     * Reads SETTINGS_FILE again, replaces all values together, and returns the names of the values that changed.
     * @throws ConfigError when the file has any problem; the previous values stay
     */
    reload(): readonly Name[] {
      const previous = current
      current = read([])
      return (Object.keys(current) as Name[]).filter((name) => !isDeepStrictEqual(current[name], previous[name]))
    },
    /** Calls `listener` when the file has changed since it was last read. Does not keep the process running. */
    watch(listener: () => void): void {
      if (path === undefined) return
      const timer = setInterval(() => {
        if (identifyFile(path) !== identity) listener()
      }, WATCH_INTERVAL_MS)
      timer.unref()
    },
  }
}

/**
 * Reads the values of the file, and appends errors to `problems`. An empty value counts as unset unless the variable
 * accepts an empty text.
 */
function readSettings(path: string, readFile: ReadFile, problems: string[]): Environment {
  const report = (expected: string) =>
    problems.push(`SETTINGS_FILE: got ${JSON.stringify(maskUrl(path))}, expected ${expected}`)
  const values: Record<string, string> = {}
  let content: unknown
  try {
    content = JSON.parse(readFile(path))
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    // Keep only the position: the rest of the message quotes the file, which may contain a secret by mistake.
    const [position = ''] = / \(line \d+ column \d+\)/.exec(message) ?? []
    report(code === undefined ? `a JSON file${position}` : `a file that can be read (${code})`)
    return values
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    report('a JSON object of names and values')
    return values
  }
  for (const [name, value] of Object.entries(content)) {
    if (!Object.hasOwn(schema, name)) report(`names of settings: there is no ${name}`)
    else if (!RELOADABLE.has(name)) report(`no ${name}: it cannot change while the service runs`)
    else if (value === '' && !schema[name as Name].safeParse(value).success) continue
    else if (['string', 'number', 'boolean'].includes(typeof value)) values[name] = String(value)
    else report(`a string, number or boolean for ${name}`)
  }
  return values
}

/**
 * Returns a text that differs once the file has changed. Polling replaces file system events, which are lost on network
 * mounts and when a symbolic link on the path is swapped, as Kubernetes does for a ConfigMap.
 */
function identifyFile(path: string): string {
  try {
    const { dev, ino, mtimeMs, size } = statSync(path)
    return `${dev} ${ino} ${mtimeMs} ${size}`
  } catch (error) {
    return `error ${(error as NodeJS.ErrnoException).code}`
  }
}
