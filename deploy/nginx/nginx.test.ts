import { join } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { findLines, killApps, launchApp } from '../../test/support/app.ts'
import { askTimes, countShares, listRequests } from '../../test/support/deploy/ask.ts'
import { testForwarding, testStrategies, testWeights } from '../../test/support/deploy/balancing.ts'
import { addresses, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { startFleet } from '../../test/support/fleet.ts'
import { until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { startNginx } from './start-nginx.ts'

describe('weights', () => testWeights(startNginx))
describe('strategies', () => testStrategies(startNginx))
describe('forwarding', () => testForwarding(startNginx))

describe('a dead instance', () => {
  let proxy: RunningProxy
  afterEach(async () => {
    await proxy.stop()
    await killApps()
  })

  test('is tried once in fail_timeout, and clients lose no request', async () => {
    const fleet = await startFleet()
    const [dead, ...others] = fleet
    proxy = await startNginx({ instances: addresses(fleet) })
    await dead!.kill()
    const startedAt = performance.now()
    expect(await countShares(others, await askTimes(proxy, 200))).toHaveLength(2)
    const seconds = (performance.now() - startedAt) / 1_000
    const tries = proxy.log().split('connect() failed').length - 1
    process.stdout.write(`nginx: ${tries} tries of a dead instance in 200 requests and ${seconds.toFixed(2)} s\n`)
    expect(tries).toBeGreaterThan(0)
    expect(tries).toBeLessThanOrEqual(1 + seconds)
  })
})

describe('the health checks of app bridge', () => {
  let proxy: RunningProxy
  afterEach(async () => {
    await proxy.stop()
    await killApps()
  })

  test('a frozen instance gets no requests, and gets requests again when it responds', async () => {
    const fleet = await startFleet()
    proxy = await startNginx({ instances: addresses(fleet), reloads: true })
    const bridge = launchApp(['bridge'], {
      env: {
        ...proxy.bridge,
        BRIDGE_INSTANCES: addresses(fleet).join(),
        BRIDGE_STATE: join(temporaryDirectory('bridge'), 'state.json'),
      },
    })
    await bridge.line({ message: 'instances changed', 'App.bridge.instances': 3 })
    const [frozen, ...others] = fleet
    frozen!.app().signal('SIGSTOP')
    await bridge.line({ message: 'instances changed', 'App.bridge.instances': 2 })
    // The old workers, with the old list, no longer accept connections.
    const count = (text: string, word: string) => text.split(word).length - 1
    const workers = () => count(proxy.log().split('reconfiguring', 1).join(), 'start worker process ')
    await until(() => count(proxy.log(), 'gracefully shutting down') >= 2 * workers())
    expect(await countShares(others, await askTimes(proxy, 50))).toHaveLength(2)
    const before = listRequests(frozen!).length
    frozen!.app().signal('SIGCONT')
    await until(() => findLines(bridge, 'instances changed').length === 3)
    await until(async () => {
      await askTimes(proxy, 3)
      return listRequests(frozen!).length > before
    })
  })
})
