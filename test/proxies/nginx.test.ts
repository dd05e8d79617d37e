import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { askTimes, shares } from '../support/ask.ts'
import { startFleet } from '../support/fleet.ts'
import { startNginx } from '../support/nginx.ts'
import type { RunningProxy } from '../support/proxy.ts'

let proxy: RunningProxy
afterEach(async () => {
  await proxy.stop()
  await killApps()
})

test('a dead instance is tried once in fail_timeout, and nobody notices', async () => {
  const fleet = await startFleet()
  const [dead, ...others] = fleet
  proxy = await startNginx({ instances: fleet.map(({ address }) => address) })
  await dead!.kill()
  const startedAt = performance.now()
  expect(await shares(others, await askTimes(proxy, 200))).toHaveLength(2)
  const seconds = (performance.now() - startedAt) / 1_000
  const tries = proxy.log().split('connect() failed').length - 1
  process.stdout.write(`nginx: ${tries} tries of a dead instance in 200 requests and ${seconds.toFixed(2)} s\n`)
  expect(tries).toBeGreaterThan(0)
  expect(tries).toBeLessThanOrEqual(1 + seconds)
})
