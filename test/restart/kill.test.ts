import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { answered, type Instance } from '../support/fleet.ts'
import { HAPROXY } from '../support/haproxy.ts' // [only haproxy]
import { NGINX } from '../support/nginx.ts' // [only nginx]
import { underLoad } from '../support/restarts.ts'
import { until } from '../support/services.ts'
import { allWaiting } from '../support/steady-load.ts'

const ROUTES = {
  NGINX, // [only nginx]
  HAPROXY, // [only haproxy]
}

afterEach(killApps)

const ids = (fleet: readonly Instance[]) => fleet.flatMap(answered).map(({ reqId }) => reqId)

test.each(Object.values(ROUTES))(
  'kill -9 of an instance with requests on it, $name: only POSTs that were sent to it are lost, and none is sent twice',
  async (route) => {
    let all: readonly Instance[] = []
    let onIt = 0
    let clients = 0
    const { failures } = await underLoad('kill -9', { route }, async (fleet, load) => {
      all = fleet
      clients = load.clients
      const [victim] = fleet
      // Held first, so that the end certainly meets requests that have been sent to it.
      victim!.app().signal('SIGSTOP')
      await until(allWaiting(load))
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
    expect(failures.length).toBeLessThanOrEqual(onIt + clients)
    const seen = ids(all)
    expect(new Set(seen).size).toBe(seen.length)
    for (const { id } of failures) expect(seen).not.toContain(id)
  },
  60_000,
)
