import { resolve } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps } from './app.ts'
import { type Route, restarts, underLoad } from './restarts.ts'

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
