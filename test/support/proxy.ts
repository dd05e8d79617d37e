import { readFileSync } from 'node:fs'
import type { Instance } from './fleet.ts'

export interface ProxyOptions {
  /** `host:port` of the three instances. */
  readonly instances: readonly string[]
  /** `host:port`. @default an address that refuses */
  readonly backup?: string
  readonly weights?: readonly number[]
  readonly strategy?: string
  /** HAProxy's, in milliseconds. @default 100 */
  readonly checkIntervalMs?: number
}

export interface RunningProxy {
  readonly host: string
  readonly port: number
  readonly url: string
  /** All that it has printed. */
  log(): string
  stop(): Promise<void>
}

/** Refuses: nothing listens there. */
export const NOWHERE = '127.0.0.1:1'

export function proxy(port: number, logFile: string, stop: () => Promise<void>): RunningProxy {
  return {
    host: '127.0.0.1',
    port,
    url: `http://127.0.0.1:${port}`,
    log: () => readFileSync(logFile, 'utf8'),
    stop,
  }
}

/** A proxy in front of these instances as the one target of requests. */
export async function routeThrough(
  start: (options: ProxyOptions) => Promise<RunningProxy>,
  fleet: readonly Instance[],
): Promise<RunningProxy & { readonly targets: readonly RunningProxy[] }> {
  const running = await start({ instances: fleet.map(({ address }) => address) })
  return { ...running, targets: [running] }
}
