import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals'
import { killApps, startApp } from '../../test/support/app.ts'
import { ask, askTimes, countShares, listRequests } from '../../test/support/deploy/ask.ts'
import { testForwarding, testWeights } from '../../test/support/deploy/balancing.ts'
import { addresses } from '../../test/support/deploy/proxy.ts'
import { type Instance, startFleet } from '../../test/support/fleet.ts'
import { installEnvoy } from '../../test/support/install.ts'
import { listen } from '../../test/support/listen.ts'
import { run } from '../../test/support/run.ts'
import { until } from '../../test/support/services.ts'
import { startSteadyLoad } from '../../test/support/steady-load.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { type RunningEnvoy, startEnvoy } from './start-envoy.ts'

const FILE = 'deploy/envoy/envoy.yaml'

let envoy: string
beforeAll(async () => {
  envoy = await installEnvoy()
}, 300_000)

describe('weights', () => testWeights(startEnvoy))
describe('forwarding', () => testForwarding(startEnvoy))

test('Envoy accepts the configuration, and rejects an unknown field', async () => {
  const validate = (file: string) => run(envoy, ['--mode', 'validate', '-c', file])
  expect((await validate(FILE)).code).toBe(0)
  const wrong = join(temporaryDirectory('envoy'), 'envoy.yaml')
  writeFileSync(wrong, readFileSync(FILE, 'utf8').replace('lb_policy:', 'lb_polciy:'))
  const { code, stderr } = await validate(wrong)
  expect(code).not.toBe(0)
  expect(stderr).toContain('lb_polciy')
})

test.each(globSync('deploy/*/envoy.yaml'))('%s removes the headers of a client that Envoy does not replace', (file) => {
  const [, removed = ''] = /request_headers_to_remove: \[(.+)\]/.exec(readFileSync(file, 'utf8')) ?? []
  expect(removed.split(', ')).toEqual(['forwarded', 'x-forwarded-host'])
})

test.each(globSync(['deploy/*/envoy.yaml', 'deploy/*/overlays/mesh/*.yaml']))(
  '%s allows more than 1,024 requests at a time',
  (file) => {
    const limits = readFileSync(file, 'utf8').matchAll(/(max_(?:connections|pending_requests|requests)): 65536/g)
    expect([...limits].map(([, name]) => name)).toEqual(['max_connections', 'max_pending_requests', 'max_requests'])
  },
)

let proxy: RunningEnvoy | undefined
afterEach(async () => {
  await proxy?.stop()
  proxy = undefined
  await killApps()
})

/** Waits until Envoy reports this flag of the instance. */
const untilFlagged = (instance: Instance, flag: string) =>
  until(async () => (await proxy!.health(instance.address))?.[flag] === true)

describe('a draining instance', () => {
  test('fails the health check of Envoy immediately', async () => {
    const [, path] = /http_health_check: \{ path: '([^']+)'/.exec(readFileSync(FILE, 'utf8')) ?? []
    const app = await startApp({ env: { DRAIN_DELAY_MS: '5000' } })
    const ask = async () => {
      const { status, headers } = await fetch(`${app.url}${path}`)
      return [status, headers.get('x-envoy-immediate-health-check-fail')]
    }
    expect(await ask()).toEqual([200, null])
    app.signal('SIGTERM')
    await app.line({ message: 'draining' })
    expect(await ask()).toEqual([503, 'true'])
  })

  test('gets no request after the failed check', async () => {
    const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '8000' } })
    const [draining, ...others] = fleet
    proxy = await startEnvoy({ instances: addresses(fleet) })
    const load = startSteadyLoad({ targets: [proxy], clients: 8, intervalMs: 20 })
    await draining!.app().line({ message: 'request' })
    draining!.app().signal('SIGTERM')
    await draining!.app().line({ message: 'draining' })
    const serveMore = async (count: number) => {
      const before = others.flatMap(listRequests).length
      await until(() => others.flatMap(listRequests).length > before + count)
    }
    await untilFlagged(draining!, 'failed_active_health_check')
    expect(await proxy.health(draining!.address)).toMatchObject({ excluded_via_immediate_hc_fail: true })
    await serveMore(50)
    const before = listRequests(draining!).length
    await serveMore(400)
    expect(listRequests(draining!)).toHaveLength(before)
    expect((await load.stop()).failures).toEqual([])
  })
})

test('three refused connections eject an instance without a failed request, before its next check', async () => {
  const fleet = await startFleet()
  const [dead, ...others] = fleet
  proxy = await startEnvoy({ instances: addresses(fleet), checkInterval: '3600s', ejectionTime: '3600s' })
  await dead!.kill()
  expect(await proxy.health(dead!.address)).not.toHaveProperty('failed_outlier_check')
  await askTimes(proxy, 9)
  await untilFlagged(dead!, 'failed_outlier_check')
  await dead!.start()
  expect(await countShares(others, await askTimes(proxy, 60))).toEqual([30, 30])
  expect(listRequests(dead!).filter((line) => dead!.app().lines.includes(line))).toEqual([])
})

test('an instance that responds with 5xx keeps its share of the requests', async () => {
  const create = (index: number) =>
    createServer((req, res) => {
      res.statusCode = req.url === '/ping' || req.url?.startsWith('/health/') ? 200 : 503
      res.end(String(index))
    })
  const servers = await Promise.all([0, 1, 2].map((index) => listen(create(index))))
  const instances = servers.map(({ port }) => `127.0.0.1:${port}`)
  try {
    proxy = await startEnvoy({ instances, checkInterval: '3600s', ejectionTime: '3600s' })
    for (let count = 0; count < 30; count++) {
      expect((await fetch(`http://${proxy.host}:${proxy.port}/refused`)).status).toBe(503)
    }
    for (const address of instances) expect(await proxy.health(address)).not.toHaveProperty('failed_outlier_check')
    const shares = [0, 0, 0]
    for (let count = 0; count < 30; count++) shares[Number((await ask(proxy)).body)]!++
    expect(shares).toEqual([10, 10, 10])
  } finally {
    await Promise.all(servers.map(({ stop }) => stop()))
  }
})

test('an event stream outlasts the time limit for a silent instance', async () => {
  const create = () =>
    createServer((req, res) => {
      if (req.url === '/silent') return
      if (req.url !== '/events') return void res.end()
      const timer = setInterval(() => res.write(':\n\n'), 200)
      res.once('close', () => clearInterval(timer))
    })
  const servers = await Promise.all([0, 1, 2].map(() => listen(create())))
  try {
    proxy = await startEnvoy({ instances: servers.map(({ port }) => `127.0.0.1:${port}`), silence: '3s' })
    const url = `http://${proxy.host}:${proxy.port}`
    const silent = fetch(`${url}/silent`)
    const events = await fetch(`${url}/events`)
    let received = 0
    for await (const chunk of events.body!) {
      received += chunk.length
      // Each event has three bytes, so the stream lasts for at least four seconds.
      if (received >= 60) break
    }
    expect(received).toBeGreaterThanOrEqual(60)
    expect((await silent).status).toBe(504)
  } finally {
    await Promise.all(servers.map(({ stop }) => stop()))
  }
})

test('a client with a cookie stays on its instance, and moves without a failure when the instance drains', async () => {
  const fleet = await startFleet({ env: { DRAIN_DELAY_MS: '3000' } })
  proxy = await startEnvoy({ instances: addresses(fleet), hasCookie: true })
  const { cookie } = await ask(proxy)
  const mine = { headers: { cookie: cookie! } }
  const shares = await countShares(fleet, await askTimes(proxy, 10, mine))
  expect([...shares].sort()).toEqual([0, 0, 10])
  expect(await countShares(fleet, await askTimes(proxy, 12))).toEqual([4, 4, 4])
  const home = fleet[shares.indexOf(10)]!
  const stopping = home.stop()
  await untilFlagged(home, 'failed_active_health_check')
  const moved = await ask(proxy, mine)
  expect(moved).toMatchObject({ status: 200, cookie: expect.stringMatching(/^INSTANCE=/) })
  expect(moved.cookie).not.toBe(cookie)
  const next = await countShares(fleet, await askTimes(proxy, 10, { headers: { cookie: moved.cookie! } }))
  expect([...next].sort()).toEqual([0, 0, 10])
  expect(next.indexOf(10)).not.toBe(fleet.indexOf(home))
  await stopping
})
