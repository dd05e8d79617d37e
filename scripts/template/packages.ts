import { PACKAGES } from './parts.ts'
import type { Tree } from './select.ts'

type Dependencies = Readonly<Record<string, string>>

interface Manifest {
  readonly version: string
  readonly dependencies?: Dependencies
  readonly devDependencies?: Dependencies
  readonly optionalDependencies?: Dependencies
  readonly peerDependencies?: Dependencies
}

interface Lock {
  readonly version: string
  readonly packages: Readonly<Record<string, Manifest>>
}

/** A service counts its own versions, so that an upgrade of the template leaves them alone. */
const FIRST_VERSION = '0.1.0'

const without = <T>(all: Readonly<Record<string, T>>, names: readonly string[]) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)))

const dependsOn = ({ dependencies, optionalDependencies, peerDependencies }: Manifest, name: string) =>
  [dependencies, optionalDependencies, peerDependencies].some((each) => each !== undefined && Object.hasOwn(each, name))

/**
 * package.json and package-lock.json without the packages of parts that are not kept.
 *
 * @throws when one of them has dependencies: they would be left behind
 */
export function selectPackages(tree: Tree, isKept: (part: string) => boolean): Tree {
  const read = <T>(path: string): T => JSON.parse(tree.get(path)?.text ?? '')
  const write = (value: unknown) => ({ mode: '100644', text: `${JSON.stringify(value, null, 2)}\n` })
  const dropped = Object.keys(PACKAGES).filter((name) => !PACKAGES[name]?.some(isKept))
  const trimmed = (manifest: Manifest): Manifest => ({
    ...manifest,
    version: FIRST_VERSION,
    devDependencies: without(manifest.devDependencies ?? {}, dropped),
  })
  const lock = read<Lock>('package-lock.json')
  const { '': root, ...locked } = lock.packages
  if (root === undefined) throw new Error('package-lock.json has no package of its own')
  const paths = dropped
    .filter((name) => !Object.values(locked).some((each) => dependsOn(each, name)))
    .map((name) => `node_modules/${name}`)
  for (const path of paths) {
    if (locked[path]?.dependencies) throw new Error(`${path} has dependencies: see PACKAGES in parts.ts`)
  }
  const packages = { '': trimmed(root), ...without(locked, paths) }
  return new Map([
    ...tree,
    ['package.json', write(trimmed(read('package.json')))],
    ['package-lock.json', write({ ...lock, version: FIRST_VERSION, packages })],
  ])
}
