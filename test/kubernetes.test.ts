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
import { runApp } from './support/app.ts'
import { type Manifest, realKustomize, render, renderForReal, renderHere } from './support/kubernetes/kustomize.ts'
import { environmentOf, find } from './support/kubernetes/manifest.ts'
import { schemaErrors } from './support/kubernetes/schema.ts'
import { testPostgres } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

const OVERLAYS = ['staging', 'production']
const directoryOf = (overlay: string) => `deploy/kubernetes/overlays/${overlay}`

const byName = (manifests: readonly Manifest[]) =>
  Object.fromEntries(manifests.map((manifest) => [`${manifest.kind} ${manifest.metadata.name}`, manifest]))

if (realKustomize === undefined) process.stderr.write('no kubectl and no kustomize: the manifests are rendered here\n')
const withRealTool = realKustomize === undefined ? test.skip : test

withRealTool.each(OVERLAYS)('%s is rendered here as the real tool renders it', async (overlay) => {
  const real = await renderForReal(realKustomize!, directoryOf(overlay))
  expect(byName(renderHere(directoryOf(overlay)))).toEqual(byName(real))
})

test.each([
  ['namePrefix: x-', 'namePrefix'],
  ['images: [{name: a, newName: b, newTag: c, digest: d}]', 'digest'],
])('what cannot be rendered here is refused: %s', async (line, name) => {
  const directory = temporaryDirectory('kustomize')
  writeFileSync(join(directory, 'kustomization.yaml'), `resources: []\n${line}\n`)
  expect(() => renderHere(directory)).toThrow(`${name}: not known here`)
})

test('overlays differ in replicas, resources and image, and in nothing else', async () => {
  const [staging, production] = await Promise.all(OVERLAYS.map((overlay) => render(directoryOf(overlay))))
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
    manifests = await render(directoryOf(overlay))
    deployment = find<Deployment>(manifests, 'Deployment')
    settings = find<ConfigMap>(manifests, 'ConfigMap').data!
  })
  const podsOf = () => [deployment.spec!.template, find<Job>(manifests, 'Job').spec!.template]

  test('every field is one that the API knows, with a value of its type', async () => {
    expect(await schemaErrors(manifests)).toBe('')
    const wrong = [{ readinesProbe: {} }, { args: 'serve' }].map((fields) => {
      const clone = structuredClone(deployment) as Deployment & Manifest
      Object.assign(clone.spec!.template.spec!.containers[0]!, fields)
      return clone
    })
    const errors = await schemaErrors(wrong)
    expect(errors).toMatch(/readinesProbe.* does not exist/)
    expect(errors).toMatch(/'string' is not assignable to type 'string\[\]'/)
  })

  test('a stop fits into the grace period, and a last request into the stop', () => {
    const { spec } = deployment.spec!.template
    const { readinessProbe, startupProbe } = spec!.containers[0]!
    const ms = (name: string) => Number(settings[name])
    expect(ms('DRAIN_DELAY_MS') + ms('REQUEST_TIMEOUT_MS')).toBeLessThan(ms('SHUTDOWN_TIMEOUT_MS'))
    expect(ms('SHUTDOWN_TIMEOUT_MS')).toBeLessThan(spec!.terminationGracePeriodSeconds! * 1_000)
    // Who goes by the readiness probe alone has noticed before accepting ends.
    const noticed = readinessProbe!.periodSeconds! * readinessProbe!.failureThreshold! * 1_000
    expect(noticed).toBeLessThan(ms('DRAIN_DELAY_MS'))
    expect(spec!.containers[0]!.lifecycle).toBeUndefined()
    const { minReadySeconds, progressDeadlineSeconds, strategy } = deployment.spec!
    const start = startupProbe!.periodSeconds! * startupProbe!.failureThreshold!
    expect(start + minReadySeconds!).toBeLessThan(progressDeadlineSeconds!)
    expect(strategy!.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 })
  })

  test('pods run as the image does, and may do nothing', () => {
    const [, user] = /^USER (\d+):\1$/m.exec(readFileSync('Dockerfile', 'utf8'))!
    for (const { spec } of podsOf()) {
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
      for (const { securityContext, resources } of spec!.containers) {
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

  test('what selects pods selects those that serve, and the network policy the migration too', () => {
    const [serving, migrating] = podsOf().map(({ metadata }) => metadata!.labels!)
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
    // Two owners of one number would overrule each other.
    expect(deployment.spec).not.toHaveProperty('replicas')
  })

  test('the service understands its settings, and its secrets are files', async () => {
    for (const name of Object.keys(settings)) expect(Object.keys(schema)).toContain(name)
    const secrets = { 'database-url': 'postgres://app:mounted@db/app', 'redis-url': 'redis://:mounted@redis' }
    const pod = deployment.spec!.template.spec!
    const env = environmentOf(pod, pod.containers[0]!, manifests, secrets)
    const { code, stdout, stderr } = await runApp(['config'], { env })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout)).toMatchObject({ DATABASE_URL: 'postgres://***@db/app', REDIS_URL: 'redis://***@redis' })
    expect(JSON.stringify(manifests)).not.toMatch(/secretKeyRef|"kind":"Secret"/)
  })
})

test('the migration runs with what its Job gives it, and a second time there is nothing to do', async () => {
  const manifests = await render(directoryOf('production'))
  const database = await testPostgres()
  const pod = find<Job>(manifests, 'Job').spec!.template.spec!
  const { args = [], ...container } = pod.containers[0]!
  const env = environmentOf(pod, container, manifests, { 'database-url': database.url })
  expect(await runApp(args, { env })).toMatchObject({ code: 0, stdout: expect.stringContaining('applied 0001') })
  expect(await runApp(args, { env })).toMatchObject({ code: 0, stdout: expect.stringContaining('nothing to apply') })
  await database.stop()
})
