import { resolve } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps } from '../support/app.ts'
import { restarts, underLoad } from '../support/restarts.ts'

afterEach(killApps)

test.each(['no proxy', 'nginx', 'haproxy'] as const)(
  'a service that calls server.close() on SIGTERM and exits loses requests, %s',
  async (route) => {
    const nodeOptions = `--require ${resolve('test/support/naive-close.cjs')}`
    const title = '3 rolling restarts of a naive service'
    const { failures } = await underLoad(title, { route, nodeOptions }, restarts(route, 3))
    expect(failures.length).toBeGreaterThan(0)
  },
  60_000,
)
