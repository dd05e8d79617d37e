import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, type Line } from '../support/app.ts'
import { ask, askTimes, shares } from '../support/ask.ts'
import { answered, type Instance, startFleet } from '../support/fleet.ts'
import { startHaproxy } from '../support/haproxy.ts'
import type { RunningProxy } from '../support/proxy.ts'
import { until } from '../support/services.ts'
import { startSteadyLoad } from '../support/steady-load.ts'
import { temporaryDirectory } from '../support/temporary.ts'

let proxy: RunningProxy
afterEach(async () => {
  await proxy.stop()
  await killApps()
})

const addresses = (fleet: readonly Instance[]) => fleet.map(({ address }) => address)

/** How long after this line the instance was last asked, in milliseconds, while the others went on. */
async function lastAsked(instance: Instance, line: Line, others: readonly Instance[]): Promise<number> {
  const before = others.flatMap(answered).length
  await until(() => others.flatMap(answered).length > before + 400)
  const at = Math.max(...answered(instance).map(({ time }) => Date.parse(String(time))))
  return at - Date.parse(String(line['time']))
}

const CHECK_INTERVAL_MS = 100
/** What a busy machine may add. */
const ALLOWANCE_MS = 300

test('a draining instance gets nothing after the next check', async () => {
  const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '8000' } })
  const [draining, ...others] = fleet
  proxy = await startHaproxy({ instances: addresses(fleet) })
  const load = startSteadyLoad({ targets: [proxy], clients: 8, intervalMs: 20 })
  await draining!.app().line({ msg: 'request' })
  draining!.app().signal('SIGTERM')
  const tookMs = await lastAsked(draining!, await draining!.app().line({ msg: 'draining' }), others)
  process.stdout.write(`HAProxy: last asked ${tookMs} ms after it said that it drains\n`)
  expect(tookMs).toBeLessThan(CHECK_INTERVAL_MS + ALLOWANCE_MS)
  expect((await load.stop()).failures).toEqual([])
})

test('an unready instance gets nothing after two checks, and its share again when it is ready', async () => {
  const directory = temporaryDirectory('ready')
  const flag = (index: number) => join(directory, String(index))
  for (const index of [0, 1, 2]) writeFileSync(flag(index), '')
  const env = { HEALTH_CRITICAL: 'flag', HEALTH_INTERVAL_MS: '100', HEALTH_TIMEOUT_MS: '100', HEALTH_FALL: '1' }
  const fleet = await startFleet({ env, envOf: (index) => ({ HEALTH_CHECKS: `flag=command:/bin/ls ${flag(index)}` }) })
  const [unready, ...others] = fleet
  proxy = await startHaproxy({ instances: addresses(fleet) })
  await until(async () => (await ask(proxy)).status === 200)
  const load = startSteadyLoad({ targets: [proxy], clients: 8, intervalMs: 20 })
  await unready!.app().line({ msg: 'request' })
  rmSync(flag(0))
  const tookMs = await lastAsked(unready!, await unready!.app().line({ msg: 'check failed' }), others)
  process.stdout.write(`HAProxy: last asked ${tookMs} ms after it was not ready\n`)
  expect(tookMs).toBeLessThan(2 * CHECK_INTERVAL_MS + ALLOWANCE_MS)
  writeFileSync(flag(0), '')
  const before = answered(unready!).length
  await until(() => answered(unready!).length > before)
  expect((await load.stop()).failures).toEqual([])
})

test('a client with a cookie stays on its instance, through its drain too, and then loses nothing', async () => {
  const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '3000' } })
  proxy = await startHaproxy({ instances: addresses(fleet), strategy: 'sticky_cookie' })
  const { cookie } = await ask(proxy)
  expect(cookie).toMatch(/^INSTANCE=app-[123]$/)
  const home = fleet[Number(cookie?.at(-1)) - 1]!
  const mine = { headers: { cookie: cookie! } }
  expect(await shares([home], await askTimes(proxy, 10, mine))).toEqual([10])
  const stopping = home.stop()
  await until(() => proxy.log().includes(`sticky_cookie/${cookie?.slice('INSTANCE='.length)} is stopping`))
  expect(await shares([home], await askTimes(proxy, 5, mine))).toEqual([5])
  const others = fleet.filter((instance) => instance !== home)
  expect(await shares(others, await askTimes(proxy, 12))).toEqual([6, 6])
  await stopping
  await askTimes(proxy, 10, mine)
})

test('a client without cookies stays on the instance that the table has for its address', async () => {
  const fleet = await startFleet()
  proxy = await startHaproxy({ instances: addresses(fleet), strategy: 'sticky_source' })
  await askTimes(proxy, 1, { from: '127.40.0.1' })
  await askTimes(proxy, 1, { from: '127.40.0.2' })
  const first = await shares(fleet, await askTimes(proxy, 10, { from: '127.40.0.1' }))
  const second = await shares(fleet, await askTimes(proxy, 10, { from: '127.40.0.2' }))
  expect(first.filter((share) => share > 0)).toEqual([10])
  expect(second.filter((share) => share > 0)).toEqual([10])
  expect(first).not.toEqual(second)
})
