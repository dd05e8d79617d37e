/*
 * Compares the timeouts of each way of deployment with the timeouts of the service. Each folder of deploy/ declares its
 * rules in a file timeouts.ts. The defaults in config/env.ts are the reference.
 */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createSettings } from '#config/settings.ts'

/** Settings that other programs depend on, each with the effect of a wrong timeout in those programs. */
const DANGERS = {
  SHUTDOWN_TIMEOUT_MS: 'or the service is killed while it stops',
  KEEP_ALIVE_TIMEOUT_MS: 'or the service closes a connection that the proxy is about to use',
  REQUEST_TIMEOUT_MS: 'or the proxy gives up before the service does',
}

type Setting = keyof typeof DANGERS

export interface TimeoutRule {
  /** Relative to the folder of the rule. */
  readonly file: string
  /** A global pattern. Its first group is a number of seconds. */
  readonly pattern: RegExp
  readonly must: 'exceed' | 'stay below'
  readonly setting: Setting
}

/** The values of the settings, in milliseconds. */
export type Timeouts = Readonly<Record<Setting | 'DRAIN_DELAY_MS', number>>

/** Reads the rules of every folder of `directory` that declares rules. */
export async function discoverRules(directory: string): Promise<readonly TimeoutRule[]> {
  const all = globSync(join(directory, '*/timeouts.ts')).map(async (path) => {
    const { rules }: { readonly rules: readonly TimeoutRule[] } = await import(pathToFileURL(path).href)
    return rules.map((rule) => ({ ...rule, file: join(dirname(path), rule.file) }))
  })
  return (await Promise.all(all)).flat()
}

/** @returns one line for each violation. A rule whose pattern matches no text is a violation too. */
export function checkTimeouts(
  service: Timeouts,
  rules: readonly TimeoutRule[],
  read: (file: string) => string,
): readonly string[] {
  const violations = rules.flatMap(({ file, pattern, must, setting }) => {
    const matches = [...read(file).matchAll(pattern)]
    if (matches.length === 0) return [`${file}: no text matches ${pattern}`]
    const holds = (ms: number) => (must === 'exceed' ? ms > service[setting] : ms < service[setting])
    return matches
      .filter(([, seconds]) => !holds(Number(seconds) * 1_000))
      .map(([text]) => `${file}: «${text}» must ${must} ${setting}, ${DANGERS[setting]}`)
  })
  if (service.DRAIN_DELAY_MS + service.REQUEST_TIMEOUT_MS < service.SHUTDOWN_TIMEOUT_MS) return violations
  return ['config/env.ts: SHUTDOWN_TIMEOUT_MS has no room for DRAIN_DELAY_MS and the last request', ...violations]
}

if (import.meta.main) {
  const read = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8') : '')
  const violations = checkTimeouts(createSettings({}).current(), await discoverRules('deploy'), read)
  for (const line of violations) console.error(line)
  process.exitCode = violations.length === 0 ? 0 : 1
}
