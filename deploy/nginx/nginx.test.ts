import { globSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach, describe, expect, test } from '@jest/globals'
import { killApps } from '../../test/support/app.ts'
import { askTimes, countShares } from '../../test/support/deploy/ask.ts'
import { testForwarding, testStrategies, testWeights } from '../../test/support/deploy/balancing.ts'
import { addresses, type RunningProxy } from '../../test/support/deploy/proxy.ts'
import { startFleet } from '../../test/support/fleet.ts'
import { listen } from '../../test/support/listen.ts'
import { startNginx } from './start-nginx.ts'

describe('weights', () => testWeights(startNginx))
describe('strategies', () => testStrategies(startNginx))
describe('forwarding', () => testForwarding(startNginx))

test.each(globSync('deploy/*/nginx.conf'))('%s has the limits that these tests need', (file) => {
  const text = readFileSync(file, 'utf8')
  for (const limit of [
    'worker_connections 8192',
    'worker_shutdown_timeout 240s',
    'large_client_header_buffers 4 16k',
    'client_max_body_size 16m',
  ]) {
    expect(text).toContain(`${limit};`)
  }
})

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

test('a cookie of 12 KiB and an upload of 10 MiB reach the service, which has its own limits', async () => {
  const create = () =>
    createServer(async (req, res) => {
      const { length } = await buffer(req)
      res.end(JSON.stringify({ cookie: req.headers.cookie?.length, length }))
    })
  const servers = await Promise.all([0, 1, 2].map(() => listen(create())))
  const proxy = await startNginx({ instances: servers.map(({ port }) => `127.0.0.1:${port}`) })
  try {
    const response = await fetch(`http://${proxy.host}:${proxy.port}/`, {
      method: 'POST',
      headers: { cookie: 'c'.repeat(12 * 1024) },
      body: new Uint8Array(10 * 1024 ** 2),
    })
    expect(await response.text()).toBe(JSON.stringify({ cookie: 12 * 1024, length: 10 * 1024 ** 2 }))
  } finally {
    await proxy.stop()
    await Promise.all(servers.map(({ stop }) => stop()))
  }
})

test('a reload ends the workers that serve an event stream, and the client connects to a new worker', async () => {
  const create = () =>
    createServer((_req, res) => void res.writeHead(200, { 'x-accel-buffering': 'no' }).write(':\n\n'))
  const servers = await Promise.all([0, 1, 2].map(() => listen(create())))
  const instances = servers.map(({ port }) => `127.0.0.1:${port}`)
  const proxy = await startNginx({ instances, shutdownTimeout: '1s' })
  try {
    const url = `http://${proxy.host}:${proxy.port}/`
    const before = await fetch(url)
    process.kill(proxy.pid!, 'SIGHUP')
    await expect(before.text()).rejects.toThrow('terminated')
    expect((await fetch(url)).status).toBe(200)
  } finally {
    await proxy.stop()
    await Promise.all(servers.map(({ stop }) => stop()))
  }
})
