/*
 * Rolling updates of real processes, as the manifests of deploy/kubernetes say, by a harness that does
 * what a kubelet, the controller of Deployments and the endpoints of a Service do, ten times as fast.
 */
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { runApp } from '../support/app.ts'
import { startClients } from '../support/kubernetes/clients.ts'
import { type Cluster, createCluster } from '../support/kubernetes/cluster.ts'
import { killContainers } from '../support/kubernetes/container.ts'
import { render } from '../support/kubernetes/kustomize.ts'
import { type DeploymentPlan, type PodPlan, planOf } from '../support/kubernetes/manifest.ts'
import { type TestService, testPostgres, testRedis, until } from '../support/services.ts'

let database: TestService
let redis: TestService
let plan: DeploymentPlan
beforeAll(async () => {
  ;[database, redis] = await Promise.all([testPostgres(), testRedis()])
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  const manifests = await render('deploy/kubernetes/overlays/production')
  plan = planOf(manifests, { 'database-url': database.url, 'redis-url': redis.url })
})
afterAll(() => Promise.all([database?.stop(), redis?.stop()]))
afterEach(killContainers)

const report = (text: string) => process.stderr.write(`${text}\n`)

/** Started, and known to every proxy. */
async function startCluster(plan: DeploymentPlan): Promise<Cluster> {
  const cluster = createCluster(plan)
  expect(await cluster.rollOut(plan.pod)).toBe('complete')
  await until(() => cluster.endpoints.present().length === plan.replicas)
  return cluster
}

const withEnv = (pod: PodPlan, env: Record<string, string>): PodPlan => ({ ...pod, env: { ...pod.env, ...env } })
const restartsOf = (cluster: Cluster) => cluster.pods().map((pod) => pod.restarts())
const cleanly = { code: 0, signal: null }

test('three rolling updates under load lose no request, and every old pod ends with 0', async () => {
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
  expect(restartsOf(cluster)).toEqual([0, 0, 0])
})

test('a version that never becomes ready stops the roll-out, and the old pods serve on', async () => {
  await using cluster = await startCluster(plan)
  const old = cluster.pods()
  await using clients = startClients({ endpoints: cluster.endpoints })
  const broken = withEnv(plan.pod, { DATABASE_URL_FILE: '', DATABASE_URL: 'postgres://app:wrong@127.0.0.1:1/app' })
  expect(await cluster.rollOut(broken)).toBe('no progress')
  expect(cluster.pods()).toEqual([...old, expect.anything()])
  expect(cluster.endpoints.present().length).toBe(plan.replicas)
  // Nothing is gained by starting it again, and nobody does.
  expect(restartsOf(cluster)).toEqual([0, 0, 0, 0])
  expect(await cluster.rollOut(plan.pod)).toBe('complete')
  await cluster.ends()
  const { sent, failures } = await clients.stop()
  report(`a roll-out that was stopped and corrected: ${sent} requests, ${failures.length} failed`)
  expect(failures).toEqual([])
})

test('a dependency that is down makes every pod not ready and restarts none', async () => {
  await using cluster = await startCluster(plan)
  await redis.kill()
  await until(() => cluster.endpoints.present().length === 0)
  const { periodMs, failureThreshold, path } = plan.pod.liveness
  // More than it takes a liveness probe that fails to have the process ended.
  const patience = performance.now() + periodMs * (failureThreshold + 1)
  await until(() => performance.now() > patience)
  for (const pod of cluster.pods()) expect((await fetch(`http://127.0.0.1:${pod.port()}${path}`)).status).toBe(200)
  expect(restartsOf(cluster)).toEqual([0, 0, 0])
  await redis.restart()
  await until(() => cluster.endpoints.present().length === plan.replicas)
})

test('a process that hangs is taken out, killed and started again, and the others are left alone', async () => {
  await using cluster = await startCluster(plan)
  const [hanging, ...others] = cluster.pods()
  process.kill(hanging!.pid(), 'SIGSTOP')
  await until(() => !hanging!.ready())
  await until(() => hanging!.restarts() === 1)
  await until(() => hanging!.ready())
  expect(others.map((pod) => [pod.ready(), pod.restarts()])).toEqual([
    [true, 0],
    [true, 0],
  ])
})

test('without the drain delay the same updates do lose requests', async () => {
  await using cluster = await startCluster({ ...plan, pod: withEnv(plan.pod, { DRAIN_DELAY_MS: '0' }) })
  await using clients = startClients({ endpoints: cluster.endpoints })
  expect(await cluster.rollOut(cluster.pods()[0]!.plan)).toBe('complete')
  await cluster.ends()
  const { sent, failures } = await clients.stop()
  report(`without the drain delay: ${sent} requests, ${failures.length} failed, as in ${failures[0]}`)
  expect(failures.length).toBeGreaterThan(10)
  // Sent to a process that was gone, and lost for no other reason.
  expect(failures.filter((failure) => !/ECONNREFUSED|ECONNRESET|socket hang up/.test(failure))).toEqual([])
})
