import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../test/support/run.ts'
import type { Manifest } from './kustomize.ts'

/** The module of kubernetes-types for each kind. The package is generated from the description of the API. */
const TYPES: Readonly<Record<string, string>> = {
  'apps/v1 Deployment': 'apps/v1',
  'autoscaling/v2 HorizontalPodAutoscaler': 'autoscaling/v2',
  'batch/v1 Job': 'batch/v1',
  'networking.k8s.io/v1 NetworkPolicy': 'networking/v1',
  'policy/v1 PodDisruptionBudget': 'policy/v1',
  'v1 ConfigMap': 'core/v1',
  'v1 Service': 'core/v1',
}

/**
 * Compiles the manifests against the types of the API. Like `kubectl apply`, the compiler rejects unknown fields. A
 * JSON schema of the API would accept them.
 *
 * @returns the errors of the compiler
 */
export async function findSchemaErrors(manifests: readonly Manifest[]): Promise<string> {
  const lines = manifests.map((manifest, index) => {
    const path = TYPES[`${manifest.apiVersion} ${manifest.kind}`]
    if (path === undefined) throw new Error(`${manifest.apiVersion} ${manifest.kind}: this harness has no type for it`)
    const type = `import('kubernetes-types/${path}.js').${manifest.kind}`
    return `export const manifest${index}: ${type} = ${JSON.stringify(manifest, null, 2)}`
  })
  // Inside this project, so that the compiler finds the package.
  const directory = mkdtempSync('.local/manifests-')
  try {
    const file = join(directory, 'manifests.ts')
    writeFileSync(file, lines.join('\n'))
    const options = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--types',
      '',
      '--pretty',
      'false',
    ]
    const { stdout } = await run(process.execPath, ['node_modules/typescript/bin/tsc', ...options, file])
    return stdout
  } finally {
    rmSync(directory, { recursive: true })
  }
}
