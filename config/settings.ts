import { statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Config, Name } from './env.ts'
import { type Environment, type LoadOptions, readSecrets, readSettings, validate, withEnvFile } from './load.ts'

export interface Settings {
  /** Returns the current values. Call it each time: a reload replaces them. */
  current(): Config
  /**
   * Reads SETTINGS_FILE again, replaces all values at once, and returns the names of those that changed.
   *
   * @throws ConfigError when the file has any problem; the previous values stay
   */
  reload(): readonly Name[]
  /** Calls `listener` when the file has changed since it was last read. Returns a function that ends the watch. */
  watch(listener: () => void): () => void
}

const WATCH_INTERVAL_MS = 1_000

/**
 * Reads the environment, the files of secrets and SETTINGS_FILE. Only the values of SETTINGS_FILE change afterwards.
 *
 * @throws ConfigError with every problem at once
 */
export function createSettings(environment: Environment, options: LoadOptions = {}): Settings {
  const { values: fixed, problems } = readSecrets(withEnvFile(environment, options), options)
  const path = fixed['SETTINGS_FILE']
  let identity: string | undefined

  function read(found: readonly string[]): Config {
    // Identify the file before reading it: a change between the two counts as a change.
    identity = identifyFile(path)
    const settings = readSettings(path, options)
    return validate({ ...fixed, ...settings.values }, [...found, ...settings.problems])
  }

  let current = read(problems)
  return {
    current: () => current,
    reload() {
      const previous = current
      current = read([])
      return (Object.keys(current) as Name[]).filter((name) => !isDeepStrictEqual(current[name], previous[name]))
    },
    watch(listener) {
      if (path === undefined) return () => {}
      const timer = setInterval(() => {
        if (identifyFile(path) !== identity) listener()
      }, WATCH_INTERVAL_MS)
      timer.unref()
      return () => clearInterval(timer)
    },
  }
}

/**
 * Returns a text that differs once the file has changed. Polling replaces file system events, which get lost on network
 * mounts and when a symbolic link on the path is swapped, as Kubernetes does for a ConfigMap.
 */
function identifyFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  try {
    const { dev, ino, mtimeMs, size } = statSync(path)
    return `${dev} ${ino} ${mtimeMs} ${size}`
  } catch (error) {
    return `error ${(error as NodeJS.ErrnoException).code}`
  }
}
