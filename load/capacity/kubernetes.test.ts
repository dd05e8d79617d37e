import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parse } from 'yaml'
import { renderCommands, renderPatches, renderSettings } from './kubernetes.ts'
import { computeSizing, type Sizing } from './sizing.ts'

const use = { ratePerSecond: 1_000, cpu: 0.9, rssBytes: 120 * 1024 ** 2, connectionMs: 2 }
const sizing = computeSizing({ target: 5_000, use }) as Sizing

test('the commands set the replicas and the resources of the container', () => {
  expect(renderCommands(sizing, 'orders')).toEqual([
    `kubectl patch hpa orders --patch '{"spec":{"minReplicas":12,"maxReplicas":24}}'`,
    'kubectl set resources deployment/orders -c server --requests=cpu=900m,memory=160Mi --limits=memory=320Mi',
  ])
  expect(renderSettings(sizing)).toEqual(['DATABASE_POOL_MAX=2'])
})

test('the manifests keep values that were not measured', () => {
  const bare = computeSizing({ target: 5_000, use: { ratePerSecond: 1_000 } }) as Sizing
  expect(renderCommands(bare, 'orders')).toHaveLength(1)
  expect(renderPatches(bare, 'orders')).not.toMatch(/Deployment|averageUtilization/)
  expect(renderSettings(bare)).toEqual([])
})

const base = join(import.meta.dirname, '../../deploy/kubernetes/base')

/** A service may have deleted the manifests. */
const inTemplate = existsSync(base) ? test : test.skip

inTemplate('each patch replaces a value that the manifests have', () => {
  const { name } = JSON.parse(readFileSync('package.json', 'utf8'))
  const files: Record<string, string> = { HorizontalPodAutoscaler: 'autoscaler', Deployment: 'deployment' }
  const { patches } = parse(renderPatches(sizing, name))
  expect(patches).toHaveLength(2)
  for (const { target, patch } of patches) {
    const manifest = parse(readFileSync(`${base}/${files[target.kind]}.yaml`, 'utf8'))
    expect(manifest).toMatchObject({ kind: target.kind, metadata: { name: target.name } })
    for (const { op, path, value } of parse(patch)) {
      expect(op).toBe('replace')
      const old = path
        .split('/')
        .slice(1)
        .reduce((node: Record<string, unknown>, key: string) => node[key], manifest)
      expect({ path, type: typeof old }).toEqual({ path, type: typeof value })
    }
  }
  const { containers } = parse(readFileSync(`${base}/deployment.yaml`, 'utf8')).spec.template.spec
  expect(containers[0].name).toBe('server')
})
