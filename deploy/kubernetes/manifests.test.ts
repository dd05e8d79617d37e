import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js'
import type { Job } from 'kubernetes-types/batch/v1.js'
import type { ConfigMap, Service } from 'kubernetes-types/core/v1.js'
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js'
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js'
import { schema } from '#config/env.ts'
import { runApp } from '../../test/support/app.ts'
import { testPostgres } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { type Manifest, realKustomize, render, renderWithoutTool, renderWithTool } from './harness/kustomize.ts'
import { buildEnvironment, find } from './harness/manifest.ts'
import { allowsEgress, allowsIngress, type Destination } from './harness/network-policy.ts'
import { findSchemaErrors } from './harness/schema.ts'

/** They differ only in replicas, resources and image. */
const PLAIN = ['staging', 'production']
const OVERLAYS = [...PLAIN, 'mesh']
const overlayDirectory = (overlay: string) => `deploy/kubernetes/overlays/${overlay}`

const byName = (manifests: readonly Manifest[]) =>
  Object.fromEntries(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest]))

if (realKustomize === undefined)
  process.stderr.write('kubectl and kustomize are missing: only our own rendering is tested\n')
const withRealTool = realKustomize === undefined ? test.skip : test

withRealTool.each(OVERLAYS)('our rendering of %s equals that of the real tool', async (overlay) => {
  const real = await renderWithTool(realKustomize!, overlayDirectory(overlay))
  expect(byName(renderWithoutTool(overlayDirectory(overlay)))).toEqual(byName(real))
})

test.each([
  ['namePrefix: x-', 'namePrefix'],
  ['images: [{name: a, newName: b, newTag: c, digest: d}]', 'digest'],
])('our rendering rejects an unsupported field: %s', async (line, name) => {
  const directory = temporaryDirectory('kustomize')
  writeFileSync(join(directory, 'kustomization.yaml'), `resources: []\n${line}\n`)
  expect(() => renderWithoutTool(directory)).toThrow(`${name}: not supported here`)
})

test('the overlays of environments differ only in replicas, resources and image', async () => {
  const [staging, production] = await Promise.all(PLAIN.map((overlay) => render(overlayDirectory(overlay))))
  const varying = /^(minReplicas|maxReplicas|resources|image)$/
  const same = (manifests: readonly Manifest[] = []) =>
    JSON.parse(JSON.stringify(byName(manifests), (key, value) => (varying.test(key) ? undefined : value)))
  expect(same(staging)).toEqual(same(production))
  expect(staging).not.toEqual(production)
})

describe.each(OVERLAYS)('%s', (overlay) => {
  let manifests: Manifest[]
  let deployment: Deployment
  let settings: Readonly<Record<string, string>>
  beforeAll(async () => {
    manifests = await render(overlayDirectory(overlay))
    deployment = find<Deployment>(manifests, 'Deployment')
    settings = find<ConfigMap>(manifests, 'ConfigMap').data!
  })
  const podTemplates = () => [deployment.spec!.template, find<Job>(manifests, 'Job').spec!.template]

  test('every field exists in the API, and every value has the type of its field', async () => {
    expect(await findSchemaErrors(manifests)).toBe('')
    const wrong = [{ readinesProbe: {} }, { args: 'serve' }].map((fields) => {
      const clone = structuredClone(deployment) as Deployment & Manifest
      Object.assign(clone.spec!.template.spec!.containers[0]!, fields)
      return clone
    })
    const errors = await findSchemaErrors(wrong)
    expect(errors).toMatch(/readinesProbe.* does not exist/)
    expect(errors).toMatch(/'string' is not assignable to type 'string\[\]'/)
  })

  test('a stop fits into the grace period, and the last request fits into the stop', () => {
    const { spec } = deployment.spec!.template
    const { readinessProbe, startupProbe } = spec!.containers[0]!
    const ms = (name: string) => Number(settings[name])
    expect(ms('DRAIN_DELAY_MS') + ms('REQUEST_TIMEOUT_MS')).toBeLessThan(ms('SHUTDOWN_TIMEOUT_MS'))
    expect(ms('SHUTDOWN_TIMEOUT_MS')).toBeLessThan(spec!.terminationGracePeriodSeconds! * 1_000)
    // A client that uses only the readiness probe notices the drain before the service stops accepting.
    const noticed = readinessProbe!.periodSeconds! * readinessProbe!.failureThreshold! * 1_000
    expect(noticed).toBeLessThan(ms('DRAIN_DELAY_MS'))
    expect(spec!.containers[0]!.lifecycle).toBeUndefined()
    const { minReadySeconds, progressDeadlineSeconds, strategy } = deployment.spec!
    const start = startupProbe!.periodSeconds! * startupProbe!.failureThreshold!
    // An autoscaler of nodes adds a node within minutes, and the new node pulls the image.
    const pull = 300
    expect(pull + start + minReadySeconds!).toBeLessThan(progressDeadlineSeconds!)
    expect(strategy!.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 })
  })

  test('pods run as the user of the image, without privileges', () => {
    const [, user] = /^USER (\d+):\1$/m.exec(readFileSync('Dockerfile', 'utf8'))!
    for (const { spec } of podTemplates()) {
      expect(spec).toMatchObject({
        automountServiceAccountToken: false,
        enableServiceLinks: false,
        securityContext: {
          runAsNonRoot: true,
          runAsUser: Number(user),
          runAsGroup: Number(user),
          seccompProfile: { type: 'RuntimeDefault' },
        },
      })
      for (const { securityContext, resources } of [...(spec!.initContainers ?? []), ...spec!.containers]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(resources).toMatchObject({
          requests: { cpu: expect.any(String) },
          limits: { memory: expect.any(String) },
        })
      }
    }
  })

  test('a full heap ends the process with a message before the kernel kills it', () => {
    const { env, resources } = deployment.spec!.template.spec!.containers[0]!
    const options = env!.find(({ name }) => name === 'NODE_OPTIONS')?.value
    const [, percentage] = /^--max-old-space-size-percentage=(\d+)$/.exec(options ?? '') ?? []
    const [, limit] = /^(\d+)Mi$/.exec(String(resources!.limits!['memory'])) ?? []
    // The new space of V8 takes up to 24 MiB. The code and the buffers take about 70 MiB.
    expect((Number(limit) * Number(percentage)) / 100 + 24 + 70).toBeLessThan(Number(limit))
  })

  test('selectors select the pods that serve, and the network policy also selects the migration', () => {
    const [serving, migrating] = podTemplates().map(({ metadata }) => metadata!.labels!)
    const selects = (labels: Record<string, string> = {}, pod: Record<string, string> = {}) =>
      Object.entries(labels).every(([name, value]) => pod[name] === value)
    const { topologySpreadConstraints } = deployment.spec!.template.spec!
    const selectors = [
      deployment.spec!.selector.matchLabels,
      find<Service>(manifests, 'Service').spec!.selector,
      find<PodDisruptionBudget>(manifests, 'PodDisruptionBudget').spec!.selector!.matchLabels,
      ...topologySpreadConstraints!.map(({ labelSelector }) => labelSelector!.matchLabels),
    ]
    expect(selectors.map((labels) => [selects(labels, serving), selects(labels, migrating)])).toEqual(
      selectors.map(() => [true, false]),
    )
    const { podSelector } = find<NetworkPolicy>(manifests, 'NetworkPolicy').spec!
    expect([serving, migrating].map((pod) => selects(podSelector.matchLabels, pod))).toEqual([true, true])
    const { scaleTargetRef } = find<HorizontalPodAutoscaler>(manifests, 'HorizontalPodAutoscaler').spec!
    const { apiVersion, kind, metadata } = deployment
    expect(scaleTargetRef).toEqual({ apiVersion, kind, name: metadata!.name })
    // The autoscaler owns the number of replicas, and every `apply` would reset it.
    expect(deployment.spec).not.toHaveProperty('replicas')
  })

  const kubeSystem = { 'kubernetes.io/metadata.name': 'kube-system' }
  const dns = { pod: { namespace: kubeSystem, labels: { 'k8s-app': 'kube-dns' } } }
  const otherPod = { namespace: { 'kubernetes.io/metadata.name': 'data' }, labels: { app: 'database' } }
  test.each<[string, boolean, Destination]>([
    ['the DNS, by UDP', true, { ...dns, protocol: 'UDP', port: 53 }],
    ['the DNS, by TCP', true, { ...dns, protocol: 'TCP', port: 53 }],
    ['PostgreSQL in a pod', true, { pod: otherPod, protocol: 'TCP', port: 5432 }],
    ['a collector of traces in a private network', true, { address: '10.20.0.9', protocol: 'TCP', port: 4318 }],
    ['a collector of traces on the internet', false, { address: '203.0.113.9', protocol: 'TCP', port: 4318 }],
    ['Redis in a private network', true, { address: '10.20.0.9', protocol: 'TCP', port: 6379 }],
    ['PostgreSQL in a private network, by IPv6', true, { address: 'fd12::9', protocol: 'TCP', port: 5432 }],
    ['another port of a pod', false, { pod: otherPod, protocol: 'TCP', port: 443 }],
    ['the DNS port of another pod', false, { pod: otherPod, protocol: 'UDP', port: 53 }],
    ['another pod beside the DNS', false, { pod: { namespace: kubeSystem, labels: {} }, protocol: 'UDP', port: 53 }],
    ['a DNS server on the internet', false, { address: '198.51.100.1', protocol: 'UDP', port: 53 }],
    ['the internet', false, { address: '198.51.100.1', protocol: 'TCP', port: 443 }],
    ['the port of PostgreSQL on the internet', false, { address: '198.51.100.1', protocol: 'TCP', port: 5432 }],
    ['the port of Redis on the internet, by IPv6', false, { address: '2001:db8::1', protocol: 'TCP', port: 6379 }],
    ['the metadata server of the cloud', false, { address: '169.254.169.254', protocol: 'TCP', port: 80 }],
    ['the API of Kubernetes', false, { address: '10.96.0.1', protocol: 'TCP', port: 443 }],
  ])('the network policy on %s: allowed is %s', (_to, allowed, destination) => {
    expect(allowsEgress(find<NetworkPolicy>(manifests, 'NetworkPolicy'), destination)).toBe(allowed)
  })

  test('only Prometheus may connect to the metrics, and every pod may connect to the service', () => {
    const policy = find<NetworkPolicy>(manifests, 'NetworkPolicy')
    const monitoring = { 'kubernetes.io/metadata.name': 'monitoring' }
    const prometheus = { namespace: monitoring, labels: { 'app.kubernetes.io/name': 'prometheus' } }
    const impostor = { namespace: otherPod.namespace, labels: prometheus.labels }
    const neighbour = { namespace: monitoring, labels: { 'app.kubernetes.io/name': 'grafana' } }
    const pods = [prometheus, impostor, neighbour, otherPod]
    expect(pods.map((pod) => allowsIngress(policy, pod, 'metrics'))).toEqual([true, false, false, false])
    const { targetPort } = find<Service>(manifests, 'Service').spec!.ports![0]!
    expect(pods.map((pod) => allowsIngress(policy, pod, targetPort!))).toEqual([true, true, true, true])
    const { metadata, spec } = deployment.spec!.template
    const { containerPort } = spec!.containers[0]!.ports!.find(({ name }) => name === 'metrics')!
    expect(settings['ADMIN_PORT']).toBe(String(containerPort))
    expect(metadata!.annotations).toMatchObject({ 'prometheus.io/port': String(containerPort) })
  })

  test('the service accepts its settings, and reads its secrets from files', async () => {
    for (const name of Object.keys(settings)) expect(Object.keys(schema)).toContain(name)
    const secrets = { 'database-url': 'postgres://app:mounted@db/app', 'redis-url': 'redis://:mounted@redis' }
    const pod = deployment.spec!.template.spec!
    const env = buildEnvironment(pod, pod.containers[0]!, manifests, secrets)
    const { code, stdout, stderr } = await runApp(['config'], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^PostgreSQL connections:/) })
    expect(JSON.parse(stdout)).toMatchObject({ DATABASE_URL: 'postgres://***@db/app', REDIS_URL: 'redis://***@redis' })
    expect(JSON.stringify(manifests)).not.toMatch(/secretKeyRef|"kind":"Secret"/)
  })
})

test('README.md waits for every attempt of the migration, and starts the roll-out only after its success', async () => {
  const { backoffLimit } = find<Job>(await render(overlayDirectory('production')), 'Job').spec!
  const commands = /^kubectl wait .*--timeout=(\d+)m \S+ &&\n +kubectl apply .*=server &&\n/m
  const [, minutes] = commands.exec(readFileSync('deploy/kubernetes/README.md', 'utf8')) ?? []
  // An attempt waits for the locks for about 5 minutes (docs/database.md).
  expect(Number(minutes)).toBeGreaterThan((backoffLimit! + 1) * 5)
})

test('the migration runs with the environment of its Job, and a second run has nothing to apply', async () => {
  const manifests = await render(overlayDirectory('production'))
  const database = await testPostgres()
  const pod = find<Job>(manifests, 'Job').spec!.template.spec!
  const { args = [], ...container } = pod.containers[0]!
  const env = buildEnvironment(pod, container, manifests, { 'database-url': database.url })
  expect(await runApp(args, { env })).toMatchObject({ code: 0, stdout: expect.stringMatching(/^applied \d{14}-/) })
  expect(await runApp(args, { env })).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to apply') })
  await database.stop()
})
