import { createServer, type ServerResponse } from 'node:http'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { killApps } from '../app.ts'
import { type Instance, startFleet } from '../fleet.ts'
import { listen } from '../listen.ts'
import { until } from '../services.ts'
import { startSteadyLoad } from '../steady-load.ts'
import { allWaiting, ask, askTimes, countShares, findInstances, listRequests } from './ask.ts'
import { addresses, type ProxyOptions, type RunningProxy, type StartProxy } from './proxy.ts'

/** Only the proxy has this address, so the service trusts it. */
const env = { TRUST_PROXY: '127.0.0.1', DRAIN_DELAY_MS: '0' }

/** Each client has its own network, because ip_hash of nginx hashes only the network. */
const clients = Array.from({ length: 12 }, (_, index) => `127.${index + 2}.9.9`)

/** Creates the fleet of each test. `open` starts the proxy, with the last instance as the backup. */
function setUp(start: StartProxy) {
  let fleet: readonly Instance[] = []
  let proxy: RunningProxy | undefined

  beforeEach(async () => {
    fleet = await startFleet({ size: 4, env })
  })
  afterEach(async () => {
    await proxy?.stop()
    await killApps()
  })

  return async function open(options: Partial<ProxyOptions> = {}) {
    const [backup, instances] = [fleet[3]!, fleet.slice(0, 3)]
    const running = await start({ instances: addresses(instances), backup: backup.address, ...options })
    proxy = running
    return { fleet: instances, backup, proxy: running }
  }
}

/** Defines the test of the weights of one proxy. */
export function testWeights(start: StartProxy): void {
  const open = setUp(start)

  test('60 requests are distributed by the weights 3:2:1', async () => {
    const { fleet, proxy } = await open({ weights: [3, 2, 1] })
    const [first, second, third] = await countShares(fleet, await askTimes(proxy, 60))
    expect(Math.abs(first! - 30)).toBeLessThanOrEqual(2)
    expect(Math.abs(second! - 20)).toBeLessThanOrEqual(2)
    expect(Math.abs(third! - 10)).toBeLessThanOrEqual(2)
  })
}

/** Defines the tests of the strategies of one proxy. */
export function testStrategies(start: StartProxy): void {
  const open = setUp(start)

  test('least connections: an instance that hangs gets no further requests', async () => {
    const { fleet, proxy } = await open({ strategy: 'least_connections' })
    const hanging = fleet[0]!.app()
    hanging.signal('SIGSTOP')
    const load = startSteadyLoad({ targets: [proxy], clients: 1, intervalMs: 1, methods: ['GET'] })
    await until(allWaiting(load))
    await askTimes(proxy, 40)
    hanging.signal('SIGCONT')
    expect((await load.stop()).failures).toEqual([])
  })

  test.each(['ip_hash', 'consistent_hash'])(
    '%s: each client stays on one instance, and the clients use several instances',
    async (strategy) => {
      const { fleet, proxy } = await open({ strategy })
      for (const from of clients) await askTimes(proxy, 5, { from })
      await until(() => fleet.flatMap(listRequests).length === clients.length * 5)
      for (const client of clients) expect(findInstances(fleet, client)).toHaveLength(1)
      expect(new Set(clients.map((client) => findInstances(fleet, client)[0])).size).toBeGreaterThan(1)
    },
  )

  test('consistent hash: when an instance dies, only its own clients move', async () => {
    const { fleet, proxy } = await open({ strategy: 'consistent_hash' })
    for (const from of clients) await askTimes(proxy, 1, { from })
    await until(() => fleet.flatMap(listRequests).length === clients.length)
    const homes = new Map(clients.map((client) => [client, findInstances(fleet, client)[0]]))
    const gone = homes.get(clients[0]!)
    await gone!.kill()
    for (const from of clients) await askTimes(proxy, 3, { from })
    const staying = clients.filter((client) => homes.get(client) !== gone)
    expect(staying.length).toBeGreaterThan(0)
    for (const client of staying) expect(findInstances(fleet, client)).toEqual([homes.get(client)])
  })
}

/** Defines the tests of the backup and of the address of the client for one proxy. */
export function testForwarding(start: StartProxy): void {
  const open = setUp(start)

  test('the backup serves only when the other instances are down', async () => {
    const { fleet, backup, proxy } = await open()
    expect(await countShares([...fleet, backup], await askTimes(proxy, 30))).toEqual([10, 10, 10, 0])
    await Promise.all(fleet.slice(0, 2).map((instance) => instance.kill()))
    expect(await countShares([...fleet, backup], await askTimes(proxy, 10))).toEqual([0, 0, 10, 0])
    await fleet[2]!.kill()
    // A request may fail until the proxy has noticed that no instance is left.
    const isServed = () =>
      ask(proxy).then(
        ({ status }) => status === 200,
        () => false,
      )
    await until(isServed)
    await askTimes(proxy, 10)
    await until(() => listRequests(backup).length >= 10)
  })

  test('1,100 requests are in progress at once, as with event streams', async () => {
    const count = 1_100
    const held: ServerResponse[] = []
    const create = () =>
      createServer((req, res) => {
        if (req.url !== '/ping') return void res.end()
        held.push(res)
        if (held.length === count) for (const each of held) each.end()
      })
    const servers = await Promise.all([0, 1, 2].map(() => listen(create())))
    try {
      const { proxy } = await open({ instances: servers.map(({ port }) => `127.0.0.1:${port}`) })
      const statuses = Array.from({ length: count }, async () => {
        const { status, body } = await ask(proxy)
        if (status !== 200) throw new Error(`${status}: ${body}`)
      })
      await Promise.all(statuses)
    } finally {
      await Promise.all(servers.map(({ stop }) => stop()))
    }
  })

  test('the service receives the address of the client, and ignores an address that the client claims', async () => {
    const { fleet, proxy } = await open()
    const claims = { 'x-forwarded-for': '6.6.6.6, 127.0.0.1', forwarded: 'for=6.6.6.6', 'x-real-ip': '6.6.6.6' }
    await ask(proxy, { from: '127.50.0.9', headers: claims })
    // Without the proxy in between, the service ignores the headers.
    await ask(fleet[0]!, { from: '127.51.0.9', headers: claims })
    await until(() => fleet.flatMap(listRequests).length === 2)
    const seen = fleet.flatMap(listRequests).map((line) => line['client.address'])
    expect(seen.sort()).toEqual(['127.50.0.9', '127.51.0.9'])
  })
}
