import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { answered, type Instance } from '../support/fleet.ts'
import { CLIENTS, underLoad } from '../support/restarts.ts'
import { until } from '../support/services.ts'
import { allWaiting } from '../support/steady-load.ts'

afterEach(killApps)

const ids = (fleet: readonly Instance[]) => fleet.flatMap(answered).map(({ reqId }) => reqId)

test.each(['nginx', 'haproxy'] as const)(
  'kill -9 of an instance with requests on it, %s: only POSTs that were sent to it are lost, and none is sent twice',
  async (route) => {
    let all: readonly Instance[] = []
    let onIt = 0
    const { failures } = await underLoad('kill -9', { route }, async (fleet, load) => {
      all = fleet
      const [victim] = fleet
      // Held first, so that the end certainly meets requests that have been sent to it.
      victim!.app().signal('SIGSTOP')
      await until(allWaiting(load, CLIENTS))
      onIt = load.inFlight('POST')
      await victim!.kill()
      const before = load.sent()
      await until(() => load.sent() > before + 500)
      await victim!.start()
      await victim!.app().line({ msg: 'request' })
    })
    // What the dead instance had of them nobody can know, so they are neither answered nor repeated.
    expect(failures.filter(({ method }) => method === 'GET')).toEqual([])
    expect(onIt).toBeGreaterThan(0)
    // And at most one more for each client, sent on a kept connection before the proxy knew that it is dead.
    expect(failures.length).toBeGreaterThanOrEqual(onIt)
    expect(failures.length).toBeLessThanOrEqual(onIt + CLIENTS)
    const seen = ids(all)
    expect(new Set(seen).size).toBe(seen.length)
    for (const { id } of failures) expect(seen).not.toContain(id)
  },
  60_000,
)
