import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { ask, askTimes, instancesOf, shares } from '../support/ask.ts'
import { answered, type Instance, startFleet } from '../support/fleet.ts'
import { startHaproxy } from '../support/haproxy.ts' // [only haproxy]
import { startNginx } from '../support/nginx.ts' // [only nginx]
import type { ProxyOptions, RunningProxy } from '../support/proxy.ts'
import { until } from '../support/services.ts'
import { allWaiting, startSteadyLoad } from '../support/steady-load.ts'

const PROXIES = {
  nginx: startNginx, // [only nginx]
  haproxy: startHaproxy, // [only haproxy]
}

// The service believes this one proxy, and any other address is a client's.
const env = { TRUST_PROXY: '127.0.0.1', DRAIN_DELAY_MS: '0' }

/** A network of its own each, because nginx's ip_hash looks at no more than that. */
const clients = Array.from({ length: 12 }, (_, index) => `127.${index + 2}.9.9`)

describe.each(Object.entries(PROXIES))('%s', (_name, start) => {
  let fleet: readonly Instance[]
  let backup: Instance
  let proxy: RunningProxy

  beforeEach(async () => {
    const all = await startFleet({ size: 4, env })
    fleet = all.slice(0, 3)
    backup = all[3]!
  })
  afterEach(async () => {
    await proxy.stop()
    await killApps()
  })

  const open = async (options: Partial<ProxyOptions> = {}) => {
    proxy = await start({ instances: fleet.map(({ address }) => address), backup: backup.address, ...options })
  }

  test('weights of 3:2:1 are the shares of 60 requests', async () => {
    await open({ weights: [3, 2, 1] })
    const [first, second, third] = await shares(fleet, await askTimes(proxy, 60))
    expect(Math.abs(first! - 30)).toBeLessThanOrEqual(2)
    expect(Math.abs(second! - 20)).toBeLessThanOrEqual(2)
    expect(Math.abs(third! - 10)).toBeLessThanOrEqual(2)
  })

  test('least connections: an instance that hangs gets no more requests than it has', async () => {
    await open({ strategy: 'least_connections' })
    const hung = fleet[0]!.app()
    hung.signal('SIGSTOP')
    const load = startSteadyLoad({ targets: [proxy], clients: 1, intervalMs: 1, methods: ['GET'] })
    await until(allWaiting(load))
    await askTimes(proxy, 40)
    hung.signal('SIGCONT')
    expect((await load.stop()).failures).toEqual([])
  })

  test.each(['ip_hash', 'consistent_hash'])(
    '%s: a client stays on one instance, and clients spread',
    async (strategy) => {
      await open({ strategy })
      for (const from of clients) await askTimes(proxy, 5, { from })
      await until(() => fleet.flatMap(answered).length === clients.length * 5)
      for (const client of clients) expect(instancesOf(fleet, client)).toHaveLength(1)
      expect(new Set(clients.map((client) => instancesOf(fleet, client)[0])).size).toBeGreaterThan(1)
    },
  )

  test('consistent hash: when an instance goes, only its own clients move', async () => {
    await open({ strategy: 'consistent_hash' })
    for (const from of clients) await askTimes(proxy, 1, { from })
    await until(() => fleet.flatMap(answered).length === clients.length)
    const homes = new Map(clients.map((client) => [client, instancesOf(fleet, client)[0]]))
    const gone = homes.get(clients[0]!)
    await gone!.kill()
    for (const from of clients) await askTimes(proxy, 3, { from })
    const staying = clients.filter((client) => homes.get(client) !== gone)
    expect(staying.length).toBeGreaterThan(0)
    for (const client of staying) expect(instancesOf(fleet, client)).toEqual([homes.get(client)])
  })

  test('the backup serves only when the others are down', async () => {
    await open()
    expect(await shares([...fleet, backup], await askTimes(proxy, 30))).toEqual([10, 10, 10, 0])
    await Promise.all(fleet.slice(0, 2).map((instance) => instance.kill()))
    expect(await shares([...fleet, backup], await askTimes(proxy, 10))).toEqual([0, 0, 10, 0])
    await fleet[2]!.kill()
    await until(async () => (await ask(proxy)).status === 200)
    await askTimes(proxy, 10)
    await until(() => answered(backup).length >= 10)
  })

  test("the client's own address reaches the service, and one that it claims does not", async () => {
    await open()
    const claims = { 'x-forwarded-for': '6.6.6.6, 127.0.0.1', forwarded: 'for=6.6.6.6', 'x-real-ip': '6.6.6.6' }
    await ask(proxy, { from: '127.50.0.9', headers: claims })
    // Around the proxy nobody is believed.
    await ask(fleet[0]!, { from: '127.51.0.9', headers: claims })
    await until(() => fleet.flatMap(answered).length === 2)
    const seen = fleet.flatMap(answered).map(({ clientAddress }) => clientAddress)
    expect(seen.sort()).toEqual(['127.50.0.9', '127.51.0.9'])
  })
})
