import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv, type ValidateFunction } from 'ajv'
import addFormats from 'ajv-formats'
import { parseAllDocuments } from 'yaml'
import { findOnPath } from '../../../scripts/services/path.ts'
import { run } from '../../../test/support/run.ts'
import type { Manifest } from '../harness/kustomize.ts'

/** Files of a Go module, pinned by the hash that `go.sum` would hold. */
interface Module {
  readonly path: string
  readonly version: string
  readonly sum: string
  /** The definitions of the resources that this folder uses. */
  readonly files: readonly string[]
}

const MODULES: readonly Module[] = [
  {
    path: 'github.com/chaos-mesh/chaos-mesh',
    version: 'v0.9.1-0.20260902003049-47411975a8cb',
    sum: 'h1:0TeWmCELKreoLAXuoPaO2qpJe73foDgOoyU3fdKQN4A=',
    files: ['dnschaos', 'iochaos', 'networkchaos', 'podchaos', 'stresschaos', 'timechaos'].map(
      (name) => `config/crd/bases/chaos-mesh.org_${name}.yaml`,
    ),
  },
  {
    path: 'github.com/litmuschaos/chaos-operator',
    version: 'v0.0.0-20230718113617-6819a4be12e4',
    sum: 'h1:GVU1jK8Gb9OaYuU3iDyU/FE3uZYmBwAEB95VY41SYJ8=',
    files: ['./deploy/crds/chaosengine_crd.yaml'],
  },
]

/** Downloads a module into Go's cache. @returns its directory. @throws when the download fails or has another hash */
async function downloadModule(go: string, { path, version, sum }: Module): Promise<string> {
  const { stdout } = await run(go, ['mod', 'download', '-json', `${path}@${version}`], { cwd: '/' })
  const { Dir: directory, Sum: found, Error: error } = JSON.parse(stdout)
  if (error !== undefined) throw new Error(error)
  if (found !== sum) throw new Error(`${path}@${version} has the hash ${found}, expected ${sum}`)
  return directory
}

type Schema = Record<string, unknown>

/**
 * Rejects fields that a schema does not name, as the API server does for `kubectl apply`. Also closes the schemas that
 * permit unknown fields and name their own: our manifests use named fields only.
 */
function close(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(close)
  if (typeof node !== 'object' || node === null) return node
  const copy: Schema = {}
  for (const [key, value] of Object.entries(node)) {
    // The children of `properties` are schemas by name, so a field called `properties` is not a keyword.
    const isMap = key === 'properties' && typeof value === 'object' && value !== null
    copy[key] = isMap
      ? Object.fromEntries(Object.entries(value).map(([name, each]) => [name, close(each)]))
      : close(value)
  }
  if ('properties' in copy && copy['type'] === 'object') copy['additionalProperties'] ??= false
  return copy
}

interface Definition {
  readonly spec: {
    readonly group: string
    readonly names: { readonly kind: string }
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: Schema } }[]
  }
}

/** Validates manifests by the definitions of their resources. @returns the errors, one line each */
export type FindErrors = (manifest: Manifest) => string

/** Loads the definitions of Chaos Mesh and Litmus. Resolves with undefined when Go is not installed. */
export async function loadDefinitions(): Promise<FindErrors | undefined> {
  const go = findOnPath('go')
  if (go === undefined) return undefined
  const ajv = new Ajv({ strict: false, allErrors: true })
  addFormats.default(ajv)
  const validators = new Map<string, ValidateFunction>()
  for (const module of MODULES) {
    const directory = await downloadModule(go, module)
    for (const file of module.files) {
      for (const document of parseAllDocuments(readFileSync(join(directory, file), 'utf8'))) {
        const { group, names, versions } = (document.toJS() as Definition).spec
        for (const { name, schema } of versions) {
          validators.set(`${group}/${name} ${names.kind}`, ajv.compile(close(schema.openAPIV3Schema) as Schema))
        }
      }
    }
  }
  return (manifest) => {
    const type = `${manifest.apiVersion} ${manifest.kind}`
    const { name } = manifest.metadata
    const validate = validators.get(type)
    if (validate === undefined) return `${type}: does not exist`
    if (validate(manifest)) return ''
    return ajv.errorsText(validate.errors, { separator: '\n', dataVar: name })
  }
}
