import { afterEach, describe, expect, test } from '@jest/globals'
import { killApps } from '../../test/support/app.ts'
import { askTimes, countShares } from '../../test/support/deploy/ask.ts'
import { testForwarding, testStrategies, testWeights } from '../../test/support/deploy/balancing.ts'
import { addresses, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { startFleet } from '../../test/support/fleet.ts'
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
