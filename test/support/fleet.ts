import { type AppOptions, type Ended, type Line, type RunningApp, startApp } from './app.ts'
import { freePort } from './services.ts'

export interface FleetOptions extends Pick<AppOptions, 'artifact' | 'nodeOptions'> {
  /** @default 3 */
  readonly size?: number
  readonly env?: Readonly<Record<string, string>>
  /** Variables of one instance. `address` is its `host:port`. */
  readonly envFor?: (index: number, address: string) => Readonly<Record<string, string>>
}

export interface Instance {
  readonly host: string
  readonly port: number
  /** `host:port`. */
  readonly address: string
  readonly app: () => RunningApp
  /** The log lines of all processes of the instance, in order. */
  readonly lines: () => readonly Line[]
  /**
   * Sends SIGTERM and resolves when the process has ended. Before that, it suspends the process until `underWay`
   * resolves, so that requests wait when the signal arrives, as on a busy machine. @throws when the exit code is not 0
   */
  stop(underWay?: () => Promise<void>): Promise<void>
  kill(): Promise<Ended>
  start(): Promise<void>
}

let fleets = 0

/**
 * Starts instances with separate loopback addresses and the same port, like machines behind one name. An instance keeps
 * its address when it restarts, and no outgoing connection can take the address.
 */
export async function startFleet({
  size = 3,
  env,
  envFor,
  ...options
}: FleetOptions = {}): Promise<readonly Instance[]> {
  fleets++
  // Each process and fleet has its own network, because test files run at the same time.
  const network = `127.${1 + (process.pid % 250)}.${((process.pid >> 8) * 8 + fleets) % 256}`
  const hosts = Array.from({ length: size }, (_, index) => `${network}.${index + 1}`)
  const port = await freePort()
  return Promise.all(
    hosts.map((host, index) =>
      startInstance(host, port, {
        ...options,
        env: { ...env, ...envFor?.(index, `${host}:${port}`) },
      }),
    ),
  )
}

async function startInstance(host: string, port: number, { env, ...options }: AppOptions): Promise<Instance> {
  const start = () => startApp({ ...options, env: { ...env, HOST: host, PORT: String(port) } })
  const earlier: Line[] = []
  let app = await start()
  return {
    host,
    port,
    address: `${host}:${port}`,
    app: () => app,
    lines: () => [...earlier, ...app.lines],
    async stop(underWay) {
      if (underWay !== undefined) {
        app.signal('SIGSTOP')
        await underWay()
      }
      app.signal('SIGTERM')
      app.signal('SIGCONT')
      const ended = await app.ended
      if (ended.code !== 0)
        throw new Error(`${host} ended with ${JSON.stringify(ended)}: ${JSON.stringify(app.lines.at(-1))}`)
    },
    kill() {
      app.signal('SIGKILL')
      return app.ended
    },
    async start() {
      earlier.push(...app.lines)
      app = await start()
    },
  }
}

export interface RollOptions {
  /** Restarts of each instance. */
  readonly times: number
  /** Resolves when requests wait for the instance that stops. */
  readonly underWay?: () => Promise<void>
  /** Waits for a request on the new process before the next instance restarts. @default true */
  readonly awaitUse?: boolean
}

/** Restarts the instances in sequence, as a deployment does. @returns the number of restarts */
export async function rollingRestarts(
  fleet: readonly Instance[],
  { times, underWay, awaitUse = true }: RollOptions,
): Promise<number> {
  for (let time = 0; time < times; time++) {
    for (const instance of fleet) {
      await instance.stop(underWay)
      await instance.start()
      if (awaitUse) await instance.app().line({ message: 'request' })
    }
  }
  return times * fleet.length
}
