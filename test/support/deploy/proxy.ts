import { readFileSync } from 'node:fs'
import type { Instance } from '../fleet.ts'
import type { Route } from '../restarts.ts'

export interface ProxyOptions {
  /** `host:port` of the instances. Most proxies need exactly three. */
  readonly instances: readonly string[]
  /** `host:port`. @default an address that refuses connections */
  readonly backup?: string
  readonly weights?: readonly number[]
  readonly strategy?: string
  /** True when the bridge reloads nginx. @default false */
  readonly reloads?: boolean
  /** Variables of the proxy, which replace those of the tests. Only HAProxy reads variables. */
  readonly env?: Readonly<Record<string, string>>
}

export interface RunningProxy {
  readonly host: string
  readonly port: number
  readonly pid?: number
  /** Variables of `app bridge`, which connect it with this proxy. */
  readonly bridge?: Readonly<Record<string, string>>
  /** Returns the output of the proxy so far. */
  log(): string
  stop(): Promise<void>
}

export type StartProxy = (options: ProxyOptions) => Promise<RunningProxy>

/** An address that refuses connections, because no process listens on the port. */
export const NOWHERE = '127.0.0.1:1'

export function createProxy(port: number, logFile: string, stop: () => Promise<void>): RunningProxy {
  return { host: '127.0.0.1', port, log: () => readFileSync(logFile, 'utf8'), stop }
}

export const addresses = (fleet: readonly Instance[]) => fleet.map(({ address }) => address)

/** Sends every request to one proxy in front of the instances. */
export function createRoute(name: string, start: StartProxy): Route {
  return {
    name,
    async open(fleet) {
      const running = await start({ instances: addresses(fleet) })
      return { ...running, targets: [running] }
    },
  }
}
