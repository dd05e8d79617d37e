import { afterEach, expect, test } from '@jest/globals'
import { killApps } from './app.ts'
import { type Route, restarts, underLoad } from './restarts.ts'

/** The test of one route. Each has a file of its own, so that they run side by side. */
export function testRollingRestarts(route: Route): void {
  afterEach(killApps)

  test(`20 rolling restarts, ${route.name}: no request is lost`, async () => {
    const { sent, failures, log } = await underLoad('20 rolling restarts', { route }, restarts(route, 20))
    if (failures.length > 0) process.stdout.write(log)
    expect(failures).toEqual([])
    expect(Math.min(sent.GET, sent.POST)).toBeGreaterThan(2_000)
  }, 240_000)
}
