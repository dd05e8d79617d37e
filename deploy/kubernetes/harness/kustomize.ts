import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { parse as parseEnv } from 'dotenv'
import { parse, parseAllDocuments } from 'yaml'
import { findOnPath } from '../../../scripts/services/path.ts'
import { succeed } from '../../../test/support/run.ts'

/** A manifest of any kind. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { name: string; readonly labels?: Readonly<Record<string, string>> }
}

const parseAll = (yaml: string): Manifest[] => parseAllDocuments(yaml).map((document) => document.toJS())

/** The path of a real tool that renders a kustomization, if one is installed. */
export const realKustomize = ['kubectl', 'kustomize'].map(findOnPath).find((path) => path !== undefined)

/** Renders with the real tool, which needs no cluster. */
export async function renderWithTool(tool: string, directory: string): Promise<Manifest[]> {
  return parseAll(await succeed(tool, [tool.endsWith('kubectl') ? 'kustomize' : 'build', directory]))
}

/** Renders with the real tool when it is installed, otherwise with our own rendering. */
export const render = (directory: string): Promise<Manifest[]> =>
  realKustomize === undefined ? Promise.resolve(renderWithoutTool(directory)) : renderWithTool(realKustomize, directory)

type Tree = Record<string, unknown>

interface Patch {
  readonly target: { readonly kind: string; readonly name: string }
  readonly patch: string
}

interface Image {
  readonly name: string
  readonly newName: string
  readonly newTag: string
}

interface Generator {
  readonly name: string
  readonly envs: readonly string[]
  readonly options: { readonly labels: Readonly<Record<string, string>> }
}

interface Kustomization {
  readonly apiVersion: string
  readonly kind: string
  readonly resources: readonly string[]
  readonly configMapGenerator?: readonly Generator[]
  readonly images?: readonly Image[]
  readonly patches?: readonly Patch[]
}

/** Implements the part of kustomize that this folder uses. @throws on every other feature */
export function renderWithoutTool(directory: string): Manifest[] {
  const manifests = accumulate(directory)
  for (const generated of manifests.filter(({ kind }) => kind === 'ConfigMap')) {
    const { name } = generated.metadata
    generated.metadata.name = `${name}-${hashConfigMap(generated)}`
    visit(manifests, (node) => {
      const reference = node['configMapRef'] as { name: string } | undefined
      if (reference?.name === name) reference.name = generated.metadata.name
    })
  }
  return manifests
}

function accumulate(directory: string): Manifest[] {
  const file = join(directory, 'kustomization.yaml')
  const kustomization: Kustomization = parse(readFileSync(file, 'utf8'))
  const {
    apiVersion: _,
    kind: __,
    resources,
    configMapGenerator = [],
    images = [],
    patches = [],
    ...rest
  } = kustomization
  refuse(file, rest)
  const manifests = resources.flatMap((path) => {
    const resource = join(directory, path)
    return statSync(resource).isDirectory() ? accumulate(resource) : parseAll(readFileSync(resource, 'utf8'))
  })
  manifests.push(...configMapGenerator.map((generator) => createConfigMap(directory, generator)))
  for (const patch of patches) apply(patch, manifests)
  for (const image of images) rename(image, manifests)
  return manifests
}

function createConfigMap(
  directory: string,
  { name, envs, options: { labels, ...more }, ...rest }: Generator,
): Manifest {
  refuse(directory, { ...more, ...rest })
  const data = Object.assign({}, ...envs.map((path) => parseEnv(readFileSync(join(directory, path)))))
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels }, data } as Manifest
}

/** Applies a JSON Patch (https://www.rfc-editor.org/rfc/rfc6902) with `replace` and `add` only. */
function apply({ target, patch, ...rest }: Patch, manifests: readonly Manifest[]): void {
  refuse('patches', rest)
  const targets = manifests.filter(({ kind, metadata: { name } }) => kind === target.kind && name === target.name)
  if (targets.length !== 1) throw new Error(`${target.kind} ${target.name}: found ${targets.length}, expected 1`)
  for (const { op, path, value } of parse(patch)) {
    if (!['replace', 'add'].includes(op) || /~/.test(path)) throw new Error(`${op} ${path}: not supported here`)
    const keys: string[] = path.split('/').slice(1)
    const last = keys.pop()!
    const parent = keys.reduce<Tree | undefined>((node, key) => node?.[key] as Tree, targets[0] as unknown as Tree)
    if (parent === undefined || (op === 'replace' && parent[last] === undefined)) {
      throw new Error(`${path}: does not exist`)
    }
    if (!Array.isArray(parent)) parent[last] = value
    else if (op === 'replace') parent[Number(last)] = value
    else parent.splice(last === '-' ? parent.length : Number(last), 0, value)
  }
}

function rename({ name, newName, newTag, ...rest }: Image, manifests: readonly Manifest[]): void {
  refuse('images', rest)
  visit(manifests, (node) => {
    if (node['image'] === name) node['image'] = `${newName}:${newTag}`
  })
}

/**
 * Hashes a ConfigMap as kustomize does: it hashes Go's JSON with sorted keys, and writes the hash in digits that cannot
 * spell a word.
 */
function hashConfigMap(manifest: Manifest): string {
  const { kind, data } = manifest as Manifest & { data: Record<string, string> }
  const sorted = Object.fromEntries(Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1)))
  // kustomize leaves the name empty.
  const text = JSON.stringify({ data: sorted, kind, name: '' })
  // Go escapes these characters and JSON.stringify does not.
  if (/[<>&\u2028\u2029]/.test(text)) throw new Error('a setting with <, > or &: not supported here')
  const digits: Record<string, string> = { '0': 'g', '1': 'h', '3': 'k', a: 'm', e: 't' }
  const hex = createHash('sha256').update(text).digest('hex').slice(0, 10)
  return hex.replace(/[013ae]/g, (digit) => digits[digit]!)
}

function visit(node: unknown, see: (node: Tree) => void): void {
  if (typeof node !== 'object' || node === null) return
  see(node as Tree)
  for (const child of Object.values(node)) visit(child, see)
}

function refuse(where: string, unknown: object): void {
  const keys = Object.keys(unknown)
  if (keys.length > 0) throw new Error(`${where}: ${keys.join(', ')}: not supported here`)
}
