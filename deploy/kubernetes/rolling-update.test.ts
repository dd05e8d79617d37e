/*
 * These tests run rolling updates of real processes with the rendered manifests. A harness acts as the kubelet, the
 * controller of Deployments and the endpoints of a Service, `SPEED` times as fast.
 */
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { runApp } from '../../test/support/app.ts'
import { type TestService, testPostgres, testRedis, until } from '../../test/support/services.ts'
import { startClients } from './harness/clients.ts'
import { type Cluster, createCluster } from './harness/cluster.ts'
import { killContainers } from './harness/container.ts'
import { render } from './harness/kustomize.ts'
import { createPlan, type DeploymentPlan, type PodPlan, SPEED } from './harness/manifest.ts'

/** Long enough for the failures of a liveness probe and the grace period of a pod that hangs. */
const PATIENCE_MS = 120_000
jest.setTimeout(2 * PATIENCE_MS)

let database: TestService
let redis: TestService
let plan: DeploymentPlan
beforeAll(async () => {
  ;[database, redis] = await Promise.all([testPostgres(), testRedis()])
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  const manifests = await render('deploy/kubernetes/overlays/production')
  plan = createPlan(manifests, { 'database-url': database.url, 'redis-url': redis.url })
})
afterAll(() => Promise.all([database?.stop(), redis?.stop()]))
afterEach(killContainers)

const report = (text: string) => process.stderr.write(`${text}\n`)

/** Waits until every proxy knows every pod. */
async function startCluster(plan: DeploymentPlan): Promise<Cluster> {
  const cluster = createCluster(plan)
  try {
    expect(await cluster.rollOut(plan.pod)).toBe('complete')
    await until(() => cluster.endpoints.present().length === plan.replicas, PATIENCE_MS)
    return cluster
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

const withEnv = (pod: PodPlan, env: Record<string, string>): PodPlan => ({ ...pod, env: { ...pod.env, ...env } })
const countRestarts = (cluster: Cluster) => cluster.pods().map((pod) => pod.restarts())
const cleanly = { code: 0, signal: null }

test('three rolling updates under load lose no request, and every old pod exits with 0', async () => {
  await using cluster = await startCluster(plan)
  await using clients = startClients({ endpoints: cluster.endpoints })
  const startedAt = performance.now()
  for (let update = 0; update < 3; update++) expect(await cluster.rollOut(plan.pod)).toBe('complete')
  const ends = await cluster.ends()
  const { sent, failures } = await clients.stop()
  report(
    `3 rolling updates in ${Math.round(performance.now() - startedAt)} ms: ${sent} requests, ${failures.length} failed`,
  )
  expect(failures).toEqual([])
  expect(sent).toBeGreaterThan(500)
  expect(ends).toEqual(Array.from({ length: 3 * plan.replicas }, () => cleanly))
  expect(countRestarts(cluster)).toEqual([0, 0, 0])
})

test('a version that never becomes ready stops the roll-out, and the old pods still serve', async () => {
  // The deadline of the manifest includes the pull of an image. These processes need no image.
  await using cluster = await startCluster({ ...plan, progressDeadlineMs: 45_000 / SPEED })
  const old = cluster.pods()
  await using clients = startClients({ endpoints: cluster.endpoints })
  const broken = withEnv(plan.pod, { DATABASE_URL_FILE: '', DATABASE_URL: 'postgres://app:wrong@127.0.0.1:1/app' })
  expect(await cluster.rollOut(broken)).toBe('no progress')
  expect(cluster.pods()).toEqual([...old, expect.anything()])
  expect(cluster.endpoints.present().length).toBe(plan.replicas)
  // A restart does not help a pod that is not ready.
  expect(countRestarts(cluster)).toEqual([0, 0, 0, 0])
  expect(await cluster.rollOut(plan.pod)).toBe('complete')
  await cluster.ends()
  const { sent, failures } = await clients.stop()
  report(`a roll-out that was stopped and corrected: ${sent} requests, ${failures.length} failed`)
  expect(failures).toEqual([])
})

test('a dependency that is down makes every pod not ready and restarts no pod', async () => {
  await using cluster = await startCluster(plan)
  await redis.kill()
  await until(() => cluster.endpoints.present().length === 0, PATIENCE_MS)
  const { periodMs, failureThreshold, path } = plan.pod.liveness
  // Longer than the failures of a liveness probe that end a process.
  const patience = performance.now() + periodMs * (failureThreshold + 1)
  await until(() => performance.now() > patience, PATIENCE_MS)
  for (const pod of cluster.pods()) expect((await fetch(`http://127.0.0.1:${pod.port()}${path}`)).status).toBe(200)
  expect(countRestarts(cluster)).toEqual([0, 0, 0])
  await redis.restart()
  await until(() => cluster.endpoints.present().length === plan.replicas, PATIENCE_MS)
})

test('a process that hangs leaves the rotation and is restarted, and the other pods do not change', async () => {
  await using cluster = await startCluster(plan)
  const [hanging, ...others] = cluster.pods()
  process.kill(hanging!.pid(), 'SIGSTOP')
  await until(() => !hanging!.ready(), PATIENCE_MS)
  await until(() => hanging!.restarts() === 1, PATIENCE_MS)
  await until(() => hanging!.ready(), PATIENCE_MS)
  expect(others.map((pod) => [pod.ready(), pod.restarts()])).toEqual([
    [true, 0],
    [true, 0],
  ])
})

test('without the drain delay the same update loses requests', async () => {
  await using cluster = await startCluster({ ...plan, pod: withEnv(plan.pod, { DRAIN_DELAY_MS: '0' }) })
  await using clients = startClients({ endpoints: cluster.endpoints })
  expect(await cluster.rollOut(cluster.pods()[0]!.plan)).toBe('complete')
  await cluster.ends()
  const { sent, failures } = await clients.stop()
  report(`without the drain delay: ${sent} requests, ${failures.length} failed, as in ${failures[0]}`)
  expect(failures.length).toBeGreaterThan(0)
  // Each request was sent to a process that had stopped.
  expect(failures.filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure))).toEqual([])
})
