import { unwatchFile, watchFile } from 'node:fs'
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
}

/** How often the file is looked at, in milliseconds. */
const WATCH_INTERVAL_MS = 1_000

/** @throws ConfigError with every problem at once */
export function createSettings(environment: Environment, options: LoadOptions = {}): Settings {
  const { values, problems } = readEnvironment(environment, options)
  let current = validate(values, problems, options)
  return {
    current: () => current,
    reload() {
      const previous = current
      const next = validate(values, [], options)
      const changed = (Object.keys(next) as Name[]).filter((name) => !isDeepStrictEqual(next[name], previous[name]))
      current = next
      return changed
    },
    watch(listener) {
      const file = current.SETTINGS_FILE
      if (file === undefined) return () => {}
      // By its state and not by events of the file system: those are lost on network mounts, and when a
      // symbolic link on the way is swapped, as Kubernetes does for a ConfigMap.
      watchFile(file, { interval: WATCH_INTERVAL_MS, persistent: false }, listener)
      return () => unwatchFile(file, listener)
    },
  }
}
