import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../app.ts'
import type { Instance } from '../fleet.ts'
import { type Route, underLoad } from '../restarts.ts'
import { until } from '../services.ts'
import { allWaiting, listRequests } from './ask.ts'

/** Defines the test of `kill -9` behind one proxy. */
export function testKill(route: Route): void {
  afterEach(killApps)

  test(`kill -9 of a busy instance, ${route.name}: only its POSTs are lost, and no request is sent twice`, async () => {
    let all: readonly Instance[] = []
    let onIt = 0
    let clients = 0
    const { failures } = await underLoad('kill -9', { route }, async (fleet, load) => {
      all = fleet
      clients = load.clients
      const [victim] = fleet
      // SIGSTOP makes requests wait for the instance, so that it has requests when it is killed.
      victim!.app().signal('SIGSTOP')
      await until(allWaiting(load))
      onIt = load.inFlight('POST')
      await victim!.kill()
      const before = load.sent()
      await until(() => load.sent() > before + 500)
      await victim!.start()
      await victim!.app().line({ message: 'request' })
    })
    // The proxy cannot know whether the dead instance has processed a POST, so it does not retry it.
    expect(failures.filter(({ method }) => method === 'GET')).toEqual([])
    expect(onIt).toBeGreaterThan(0)
    // A POST in flight may wait for another instance. Each client may lose one more POST on a kept connection before
    // the proxy notices the death.
    expect(failures.length).toBeGreaterThan(0)
    expect(failures.length).toBeLessThanOrEqual(onIt + clients)
    const seen = all.flatMap(listRequests).map((line) => line['http.request.id'])
    expect(new Set(seen).size).toBe(seen.length)
    for (const { id } of failures) expect(seen).not.toContain(id)
  }, 60_000)
}
