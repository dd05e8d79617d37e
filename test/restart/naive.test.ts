import { resolve } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { HAPROXY } from '../support/haproxy.ts' // [only haproxy]
import { NGINX } from '../support/nginx.ts' // [only nginx]
import { NO_PROXY, restarts, underLoad } from '../support/restarts.ts'

const ROUTES = {
  NO_PROXY,
  NGINX, // [only nginx]
  HAPROXY, // [only haproxy]
}

afterEach(killApps)

test.each(Object.values(ROUTES))(
  'a service that calls server.close() on SIGTERM and exits loses requests, $name',
  async (route) => {
    const nodeOptions = `--require ${resolve('test/support/naive-close.cjs')}`
    const title = '3 rolling restarts of a naive service'
    const { failures } = await underLoad(title, { route, nodeOptions }, restarts(route, 3))
    expect(failures.length).toBeGreaterThan(0)
  },
  60_000,
)
