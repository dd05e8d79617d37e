import { statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Config, Name } from './env.ts'
import { type Environment, type LoadOptions, readEnvironment, validate } from './load.ts'

export interface Settings {
  /** The values of now. Ask each time: what SETTINGS_FILE may hold changes while the service runs. */
  current(): Config
  /**
   * Reads SETTINGS_FILE again and swaps all values at once. Returns the names of those that changed.
   *
   * @throws ConfigError when anything in it is wrong; the values of before stay
   */
  reload(): readonly Name[]
  /** Calls `listener` when the file is another or has changed. Returns what ends that. */
  watch(listener: () => void): () => void
  /**
   * Everything read anew, ENV_FILE and the files of secrets too, for a process that takes over.
   *
   * @throws ConfigError with every problem at once
   */
  anew(): Settings
}

/** How often the file is looked at, in milliseconds. */
const WATCH_INTERVAL_MS = 1_000

/** @throws ConfigError with every problem at once */
export function createSettings(environment: Environment, options: LoadOptions = {}): Settings {
  const { values, problems } = readEnvironment(environment, options)
  // Before the file is read: a change in between is seen as one, and not taken for what was read.
  let seen = identity(values['SETTINGS_FILE'])
  let current = validate(values, problems, options)
  return {
    current: () => current,
    reload() {
      const previous = current
      seen = identity(previous.SETTINGS_FILE)
      const next = validate(values, [], options)
      const changed = (Object.keys(next) as Name[]).filter((name) => !isDeepStrictEqual(next[name], previous[name]))
      current = next
      return changed
    },
    watch(listener) {
      if (current.SETTINGS_FILE === undefined) return () => {}
      const timer = setInterval(() => {
        if (identity(current.SETTINGS_FILE) !== seen) listener()
      }, WATCH_INTERVAL_MS)
      timer.unref()
      return () => clearInterval(timer)
    },
    anew: () => createSettings(environment, options),
  }
}

/**
 * What changes with the file. Looked at now and then instead of waiting for events of the file system:
 * those are lost on network mounts, and when a symbolic link on the way is swapped, as Kubernetes does
 * for a ConfigMap.
 */
function identity(file: string | undefined): string {
  const stat = file === undefined ? undefined : statSync(file, { throwIfNoEntry: false })
  return stat === undefined ? 'none' : `${stat.dev} ${stat.ino} ${stat.mtimeMs} ${stat.size}`
}
