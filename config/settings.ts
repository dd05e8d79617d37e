import { statSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import type { Config, Name } from './env.ts'
import { type Environment, type LoadOptions, readSecrets, readSettings, validate, withEnvFile } from './load.ts'

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
  /** For another process, to go on from here whatever the files say by then. Holds the secrets. */
  held(): Held
}

/** Values that were valid, and of which state of SETTINGS_FILE they are. Plain data, but no output may show it. */
export interface Held {
  /** What stays as it is while the service runs: the environment, ENV_FILE, the files of secrets. */
  readonly fixed: Environment
  /** What SETTINGS_FILE held when it was last right. */
  readonly settings: Environment
  readonly seen: string
}

/** How often the file is looked at, in milliseconds. */
const WATCH_INTERVAL_MS = 1_000

/** @throws ConfigError with every problem at once */
export function createSettings(environment: Environment, options: LoadOptions = {}): Settings {
  const fixed = readSecrets(withEnvFile(environment, options.readFile), options)
  // Before the file is read: a change in between is seen as one, and not taken for what was read.
  const seen = identity(fixed.values['SETTINGS_FILE'])
  const settings = readSettings(fixed.values, options)
  const problems = [...fixed.problems, ...settings.problems]
  return settingsOf({ fixed: fixed.values, settings: settings.values, seen }, problems, environment, options)
}

/**
 * Goes on from what another process held.
 *
 * @throws ConfigError when this version does not accept it
 */
export function resumeSettings(held: Held, options: LoadOptions = {}): Settings {
  // A new version may know secrets that the other one has not read.
  const { values, problems } = readSecrets(held.fixed, options)
  return settingsOf({ ...held, fixed: values }, problems, held.fixed, options)
}

function settingsOf(from: Held, problems: readonly string[], environment: Environment, options: LoadOptions): Settings {
  let held = from
  let current = validate({ ...held.fixed, ...held.settings }, problems)
  const look = () => identity(held.fixed['SETTINGS_FILE'])
  return {
    current: () => current,
    reload() {
      const previous = current
      held = { ...held, seen: look() }
      const settings = readSettings(held.fixed, options)
      const next = validate({ ...held.fixed, ...settings.values }, settings.problems)
      const changed = (Object.keys(next) as Name[]).filter((name) => !isDeepStrictEqual(next[name], previous[name]))
      held = { ...held, settings: settings.values }
      current = next
      return changed
    },
    watch(listener) {
      if (current.SETTINGS_FILE === undefined) return () => {}
      const timer = setInterval(() => {
        if (look() !== held.seen) listener()
      }, WATCH_INTERVAL_MS)
      timer.unref()
      return () => clearInterval(timer)
    },
    anew: () => createSettings(environment, options),
    held: () => held,
  }
}

/**
 * What changes with the file. Looked at now and then instead of waiting for events of the file system:
 * those are lost on network mounts, and when a symbolic link on the way is swapped, as Kubernetes does
 * for a ConfigMap.
 */
function identity(file: string | undefined): string {
  if (file === undefined) return 'none'
  try {
    const { dev, ino, mtimeMs, size } = statSync(file)
    return `${dev} ${ino} ${mtimeMs} ${size}`
  } catch (error) {
    return `error ${(error as NodeJS.ErrnoException).code}`
  }
}
