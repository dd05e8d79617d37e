import { afterAll, afterEach, beforeAll } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { type FleetOptions, type Instance, startFleet } from '../support/fleet.ts'
import { until } from '../support/services.ts'
import { describeReport, type SteadyLoad, type SteadyReport, startSteadyLoad } from '../support/steady-load.ts'
import { type Bridge, startBridge } from './bridge.ts'
import { type ListedProxy, type Pair, registryEnv } from './pair.ts'
import type { TestRegistry } from './registry.ts'

export const SERVICE = 'my-service'
export const CLIENTS = 16

/** Enough for a start of Java on a busy machine. */
export const PATIENCE_MS = 120_000

export interface Chain {
  readonly registry: TestRegistry
  readonly bridge: Bridge
  readonly proxy: ListedProxy
  readonly fleet: readonly Instance[]
}

export const sortedAddresses = (fleet: readonly Instance[]) => fleet.map(({ address }) => address).sort()

export const isSame = (one: readonly string[], other: readonly string[]) => one.join() === other.join()

/** Waits until the proxy has exactly these instances. */
export const untilListed = (proxy: ListedProxy, fleet: readonly Instance[]) =>
  until(async () => isSame(await proxy.listed(), sortedAddresses(fleet)), PATIENCE_MS)

const responds = ({ port }: ListedProxy) =>
  fetch(`http://127.0.0.1:${port}/ping`).then(
    ({ status }) => status === 200,
    () => false,
  )

/** Starts the registry once for a test file. The result opens the rest of the chain for one test. */
export function setUp(pair: Pair) {
  let registry: TestRegistry
  let stops: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    registry = await pair.startRegistry()
  }, 900_000)
  afterEach(async () => {
    for (const stop of stops.reverse()) await stop()
    stops = []
    await killApps()
  }, PATIENCE_MS)
  afterAll(() => registry?.kill())

  async function open(options: FleetOptions = {}): Promise<Chain> {
    const proxy = await pair.startProxy()
    stops.push(proxy.stop)
    const bridge = startBridge({
      ...registryEnv(registry),
      BRIDGE_SERVICE: SERVICE,
      BRIDGE_POLL_MS: '200',
      ...proxy.bridge,
    })
    stops.push(bridge.kill)
    const fleet = await startFleet({
      ...options,
      env: { DRAIN_DELAY_MS: String(pair.drainDelayMs), ...registryEnv(registry), ...options.env },
      envFor: (_index, address) => ({ ADVERTISE: address }),
    })
    // A clean stop removes the instance from the registry, which the next test uses. Its bridge must not start with a list
    // of dead instances: nginx would need more than its three attempts to find another one.
    stops.push(() => until(async () => (await registry.list(SERVICE)).length === 0, PATIENCE_MS).catch(() => {}))
    for (const instance of fleet) stops.push(() => instance.stop().catch(() => {}))
    await untilListed(proxy, fleet)
    await until(async () => isSame(await proxy.usable(), sortedAddresses(fleet)), PATIENCE_MS)
    await until(() => responds(proxy), PATIENCE_MS)
    return { registry, bridge, proxy, fleet }
  }
  return { open, registry: () => registry }
}

/** Runs `disturb` under a steady load of GET and POST through the proxy. */
export async function underLoad(
  { proxy }: Pick<Chain, 'proxy'>,
  disturb: (load: SteadyLoad) => Promise<unknown>,
): Promise<SteadyReport> {
  const load = startSteadyLoad({ targets: [proxy], clients: CLIENTS, intervalMs: 40 })
  try {
    await sendMore(load, 2 * CLIENTS)
    await disturb(load)
    return await load.stop()
  } finally {
    await load.stop()
  }
}

/** Waits until the clients have sent more requests. */
export function sendMore(load: SteadyLoad, count: number): Promise<void> {
  const before = load.sent()
  return until(() => load.sent() >= before + count, PATIENCE_MS)
}

/** Prints the figures of a scenario, which docs/discovery.md quotes. */
export function report(pair: Pair, title: string, result: SteadyReport, figures = ''): void {
  process.stdout.write(`${pair.name}: ${title}: ${figures && `${figures}; `}${describeReport(result)}\n`)
}
