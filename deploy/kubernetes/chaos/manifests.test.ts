import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { Deployment } from 'kubernetes-types/apps/v1.js'
import { parse } from 'yaml'
import { type Manifest, renderWithoutTool } from '../harness/kustomize.ts'
import { find } from '../harness/manifest.ts'
import { type FindErrors, loadDefinitions } from './resource-definitions.ts'

interface Experiment extends Manifest {
  readonly spec: {
    readonly selector?: { readonly labelSelectors: Readonly<Record<string, string>> }
    readonly containerNames?: readonly string[]
    readonly action?: string
    readonly direction?: string
    readonly target?: unknown
    readonly patterns?: readonly string[]
    readonly appinfo?: { readonly appns: string; readonly applabel: string; readonly appkind: string }
  }
}

const files = globSync(join(import.meta.dirname, '{chaos-mesh,litmus}/*.yaml')).sort()
const read = (file: string): Experiment => parse(readFileSync(file, 'utf8'))
const pod = find<Deployment>(renderWithoutTool('deploy/kubernetes/overlays/production'), 'Deployment').spec!.template

let findErrors: FindErrors | undefined
beforeAll(async () => {
  findErrors = await loadDefinitions()
  const message = 'Go is missing: the manifests of the experiments are not compared with the schemas\n'
  if (findErrors === undefined && process.env['CI'] === 'true') throw new Error(message)
  if (findErrors === undefined) process.stderr.write(message)
}, 300_000)

describe.each(files.map((file) => [file.split('/').slice(-2).join('/'), file]))('%s', (_name, file) => {
  const experiment = read(file)

  test('every field exists in the schema of its resource, and has the type of the schema', () => {
    expect(findErrors?.(experiment) ?? '').toBe('')
  })

  // Rules of the webhook of Chaos Mesh, which are not in the schema: api/v1alpha1/networkchaos_webhook.go.
  test('names a target when it changes packets other than those that the pods send', () => {
    const { action, direction = 'to', target } = experiment.spec
    if (experiment.kind !== 'NetworkChaos' || action === 'partition') return
    expect(direction === 'to' || target !== undefined).toBe(true)
  })

  test('has wildcards at the end of a domain only, as Chaos Mesh requires', () => {
    for (const pattern of experiment.spec.patterns ?? []) expect(pattern).toMatch(/^[^*]+\*?$/)
  })

  test('is named after its file', () => {
    const name = basename(file, '.yaml')
    expect(experiment.metadata.name).toBe(`my-service-${name}`)
  })

  test('selects the pods that serve, or a database', () => {
    const { selector, appinfo, containerNames } = experiment.spec
    const labels =
      selector?.labelSelectors ?? Object.fromEntries(appinfo!.applabel.split(',').map((each) => each.split('=')))
    const isDatabase = labels['app.kubernetes.io/name'] === 'postgresql'
    if (!isDatabase) expect(pod.metadata!.labels).toMatchObject(labels)
    const containers = pod.spec!.containers.map(({ name }) => name)
    for (const name of containerNames ?? []) expect(containers).toContain(name)
  })
})

test('README.md names every manifest', () => {
  const text = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8')
  expect(files.filter((file) => !text.includes(`\`${basename(file)}\``))).toEqual([])
})

test('a manifest with a wrong name, value or type of a field is rejected', () => {
  if (findErrors === undefined) return
  const change = (file: string, from: string, to: string) => {
    const text = readFileSync(join(import.meta.dirname, file), 'utf8')
    expect(text).toContain(from)
    return findErrors!(parse(text.replace(from, to)))
  }
  expect(change('chaos-mesh/database-slow.yaml', 'latency:', 'latenzy:')).toMatch(/additional properties/)
  expect(change('chaos-mesh/database-slow.yaml', 'action: delay', 'action: slow')).toMatch(/allowed values/)
  expect(change('chaos-mesh/database-slow.yaml', '  mode: all\n', '')).toMatch(/required property 'mode'/)
  expect(change('chaos-mesh/disk-full.yaml', 'errno: 28', "errno: 'ENOSPC'")).toMatch(/must be integer/)
  expect(change('chaos-mesh/disk-full.yaml', 'kind: IOChaos', 'kind: DiskChaos')).toMatch(/does not exist/)
  expect(change('litmus/cpu-full.yaml', 'appkind: deployment', 'appkind: pod')).toMatch(/must match pattern/)
  expect(change('litmus/cpu-full.yaml', "value: '60'", 'value: 60')).toMatch(/must be string/)
})
