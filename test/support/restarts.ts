import { resolve } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps } from './app.ts'
import { type FleetOptions, type Instance, rollingRestarts, startFleet } from './fleet.ts'
import { until } from './services.ts'
import { describeReport, type SteadyLoad, type SteadyReport, startSteadyLoad, type Target } from './steady-load.ts'

/** A route of requests to the instances. */
export interface Route {
  readonly name: string
  /** Opens the route. */
  open(fleet: readonly Instance[]): Promise<OpenRoute>
}

interface OpenRoute {
  readonly targets: readonly Target[]
  /** Returns the output of the proxy so far. */
  log(): string
  stop(): Promise<void>
}

export const NO_PROXY: Route = {
  name: 'no proxy',
  open: async (fleet) => ({ targets: fleet, log: () => '', stop: async () => {} }),
}

/** The delay exceeds the interval of a proxy's health checks in the tests. */
const DRAIN_DELAY_MS = '250'

const CLIENTS = 16

/** Runs `disturb` on a fleet under a steady load of GET and POST, and prints a report of the requests. */
export async function underLoad(
  title: string,
  { route, ...options }: FleetOptions & { readonly route: Route },
  disturb: (fleet: readonly Instance[], load: SteadyLoad) => Promise<unknown>,
): Promise<SteadyReport & { readonly log: string }> {
  const fleet = await startFleet({ ...options, env: { DRAIN_DELAY_MS, ...options.env } })
  const { targets, log, stop } = await route.open(fleet)
  const load = startSteadyLoad({ targets, clients: CLIENTS, intervalMs: 40 })
  try {
    await until(() => load.sent() > 2 * CLIENTS)
    await disturb(fleet, load)
    const report = await load.stop()
    process.stdout.write(`${title}, ${route.name}: ${describeReport(report)}\n`)
    return { ...report, log: log() }
  } finally {
    await load.stop()
    await stop()
  }
}

/** Restarts instances while requests wait for them. Behind a proxy, half of the clients have a waiting request. */
const restarts =
  (route: Route, times: number) =>
  (fleet: readonly Instance[], load: SteadyLoad): Promise<number> =>
    rollingRestarts(fleet, {
      times,
      // Without a proxy, clients move only when an instance closes their connection, so a new instance may have none.
      underWay: () => until(() => load.inFlight() >= (route === NO_PROXY ? 1 : CLIENTS / 2)),
      awaitUse: route !== NO_PROXY,
    })

/** Defines the test of rolling restarts for one route. */
export function testRollingRestarts(route: Route): void {
  afterEach(killApps)

  test(`20 rolling restarts, ${route.name}: no request is lost`, async () => {
    const { sent, failures, log } = await underLoad('20 rolling restarts', { route }, restarts(route, 20))
    if (failures.length > 0) process.stdout.write(log)
    expect(failures).toEqual([])
    expect(Math.min(sent.GET, sent.POST)).toBeGreaterThan(2_000)
  }, 900_000)
}

/** Defines the counterexample: with the same load, a service that stops naively must lose requests. */
export function testNaiveRestarts(route: Route): void {
  afterEach(killApps)

  test(`a service that calls server.close() on SIGTERM and exits loses requests, ${route.name}`, async () => {
    const nodeOptions = `--require ${resolve('test/support/naive-close.cjs')}`
    const title = '3 rolling restarts of a naive service'
    const { failures } = await underLoad(title, { route, nodeOptions }, restarts(route, 3))
    expect(failures.length).toBeGreaterThan(0)
  }, 240_000)
}
