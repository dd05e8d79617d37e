import { type Ended, type Line, type RunningApp, startApp } from './app.ts'

export interface FleetOptions {
  /** @default 3 */
  readonly size?: number
  readonly env?: Readonly<Record<string, string>>
  /** What differs between the instances. */
  readonly envFor?: (index: number) => Readonly<Record<string, string>>
  readonly nodeOptions?: string
}

export interface Instance {
  readonly host: string
  readonly port: number
  /** `host:port`, as proxies take it. */
  readonly address: string
  readonly app: () => RunningApp
  /** Of all its processes, in order. */
  readonly lines: () => readonly Line[]
  /**
   * SIGTERM, and resolves when it has ended. The process is held until `underWay` resolves, so that the
   * signal finds requests waiting, as it does on a busy machine. @throws when it ended with other than 0
   */
  stop(underWay?: () => Promise<void>): Promise<void>
  kill(): Promise<Ended>
  start(): Promise<void>
}

let fleets = 0

/**
 * Instances that keep their addresses, each on a loopback address of its own and all on one port, as
 * hosts behind one name are. No client's own port can be in the way when an instance comes back.
 */
export async function startFleet({
  size = 3,
  env,
  envFor,
  nodeOptions,
}: FleetOptions = {}): Promise<readonly Instance[]> {
  fleets++
  // Another network for each process and fleet: test files run at the same time.
  const network = `127.${1 + (process.pid % 250)}.${((process.pid >> 8) * 8 + fleets) % 256}`
  const hosts = Array.from({ length: size }, (_, index) => `${network}.${index + 1}`)
  return Promise.all(
    hosts.map((host, index) =>
      startInstance(host, 8080, { ...(nodeOptions && { nodeOptions }), env: { ...env, ...envFor?.(index) } }),
    ),
  )
}

async function startInstance(
  host: string,
  port: number,
  { env, nodeOptions }: { env: Readonly<Record<string, string>>; nodeOptions?: string },
): Promise<Instance> {
  const start = () => startApp({ env: { ...env, HOST: host, PORT: String(port) }, ...(nodeOptions && { nodeOptions }) })
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
  /** How often all of them are restarted. */
  readonly times: number
  /** Resolves when requests wait for the instance that is being stopped. */
  readonly underWay?: () => Promise<void>
  /** Goes on with the next only when this one is asked again. @default true */
  readonly awaitUse?: boolean
}

/** Restarts one after the other, as a deployment does. Resolves with the number of processes that were replaced. */
export async function rollingRestarts(
  fleet: readonly Instance[],
  { times, underWay, awaitUse = true }: RollOptions,
): Promise<number> {
  for (let time = 0; time < times; time++) {
    for (const instance of fleet) {
      await instance.stop(underWay)
      await instance.start()
      if (awaitUse) await instance.app().line({ msg: 'request' })
    }
  }
  return times * fleet.length
}
