import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { killApps, type Line } from '../../test/support/app.ts'
import { ask, askTimes, countShares, listRequests } from '../../test/support/deploy/ask.ts'
import { testForwarding, testStrategies, testWeights } from '../../test/support/deploy/balancing.ts'
import { addresses, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { type Instance, startFleet } from '../../test/support/fleet.ts'
import { until } from '../../test/support/services.ts'
import { startSteadyLoad } from '../../test/support/steady-load.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { startHaproxy } from './start-haproxy.ts'

describe('weights', () => testWeights(startHaproxy))
describe('strategies', () => testStrategies(startHaproxy))
describe('forwarding', () => testForwarding(startHaproxy))

test.each(globSync('deploy/*/haproxy.cfg'))(
  '%s sends a request again only when its connection breaks, not when its response takes too long',
  (file) => expect(readFileSync(file, 'utf8')).toMatch(/^ *retry-on conn-failure empty-response$/m),
)

describe('health checks and sessions', () => {
  let proxy: RunningProxy
  afterEach(async () => {
    await proxy.stop()
    await killApps()
  })

  /** Waits until the instances have served more requests. By then, they have also served every earlier request. */
  async function serveMore(instances: readonly Instance[], count: number): Promise<void> {
    const before = instances.flatMap(listRequests).length
    await until(() => instances.flatMap(listRequests).length > before + count)
  }

  /** Prints the time from a log line of the instance to its last request. */
  function report(title: string, instance: Instance, line: Line): void {
    const lastAt = Math.max(...listRequests(instance).map((each) => Date.parse(String(each['@timestamp']))))
    process.stdout.write(`HAProxy: last request ${lastAt - Date.parse(String(line['@timestamp']))} ms after ${title}\n`)
  }

  test('a draining instance gets no request after the check that sees the drain', async () => {
    const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '8000' } })
    const [draining, ...others] = fleet
    proxy = await startHaproxy({ instances: addresses(fleet) })
    const load = startSteadyLoad({ targets: [proxy], clients: 8, intervalMs: 20 })
    await draining!.app().line({ message: 'request' })
    draining!.app().signal('SIGTERM')
    const line = await draining!.app().line({ message: 'draining' })
    await until(() => proxy.log().includes('round_robin/app-1 is stopping'))
    await serveMore(others, 50)
    const before = listRequests(draining!).length
    await serveMore(others, 400)
    expect(listRequests(draining!)).toHaveLength(before)
    report('the start of the drain', draining!, line)
    expect((await load.stop()).failures).toEqual([])
  })

  test('an instance gets no request after two failed checks, and gets its share again when it is ready', async () => {
    const directory = temporaryDirectory('ready')
    const flag = (index: number) => join(directory, String(index))
    for (const index of [0, 1, 2]) writeFileSync(flag(index), '')
    const env = { HEALTH_CRITICAL: 'flag', HEALTH_INTERVAL_MS: '100', HEALTH_TIMEOUT_MS: '100', HEALTH_FALL: '1' }
    const fleet = await startFleet({
      env,
      envFor: (index) => ({ HEALTH_CHECKS: `flag=command:/bin/ls ${flag(index)}` }),
    })
    const [unready, ...others] = fleet
    proxy = await startHaproxy({ instances: addresses(fleet) })
    await until(async () => (await ask(proxy)).status === 200)
    const load = startSteadyLoad({ targets: [proxy], clients: 8, intervalMs: 20 })
    await unready!.app().line({ message: 'request' })
    rmSync(flag(0))
    const line = await unready!.app().line({ message: 'check failed' })
    await until(() => proxy.log().includes('round_robin/app-1 is DOWN'))
    await serveMore(others, 50)
    const before = listRequests(unready!).length
    await serveMore(others, 400)
    expect(listRequests(unready!)).toHaveLength(before)
    report('the failed check of the service', unready!, line)
    writeFileSync(flag(0), '')
    await until(() => listRequests(unready!).length > before)
    expect((await load.stop()).failures).toEqual([])
  })

  test('a client with a cookie stays on its instance during the drain, and loses no request afterwards', async () => {
    const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '3000' } })
    proxy = await startHaproxy({ instances: addresses(fleet), strategy: 'sticky_cookie' })
    const { cookie } = await ask(proxy)
    expect(cookie).toMatch(/^INSTANCE=app-[123]$/)
    const home = fleet[Number(cookie?.at(-1)) - 1]!
    const mine = { headers: { cookie: cookie! } }
    expect(await countShares([home], await askTimes(proxy, 10, mine))).toEqual([10])
    const stopping = home.stop()
    await until(() => proxy.log().includes(`sticky_cookie/${cookie?.slice('INSTANCE='.length)} is stopping`))
    expect(await countShares([home], await askTimes(proxy, 5, mine))).toEqual([5])
    const others = fleet.filter((instance) => instance !== home)
    expect(await countShares(others, await askTimes(proxy, 12))).toEqual([6, 6])
    await stopping
    await askTimes(proxy, 10, mine)
  })

  test('a client without cookies stays on the instance of its address in the stick table', async () => {
    const fleet = await startFleet()
    proxy = await startHaproxy({ instances: addresses(fleet), strategy: 'sticky_source' })
    await askTimes(proxy, 1, { from: '127.40.0.1' })
    await askTimes(proxy, 1, { from: '127.40.0.2' })
    const first = await countShares(fleet, await askTimes(proxy, 10, { from: '127.40.0.1' }))
    const second = await countShares(fleet, await askTimes(proxy, 10, { from: '127.40.0.2' }))
    expect(first.filter((share) => share > 0)).toEqual([10])
    expect(second.filter((share) => share > 0)).toEqual([10])
    expect(first).not.toEqual(second)
  })
})
