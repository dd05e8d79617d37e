import type { Tree } from './make-service.ts'

type Dependencies = Readonly<Record<string, string>>

interface Manifest {
  readonly dependencies?: Dependencies
  readonly devDependencies?: Dependencies
  readonly optionalDependencies?: Dependencies
  readonly peerDependencies?: Dependencies
}

type Locked = Readonly<Record<string, Manifest>>

/** A service counts its own versions, so an upgrade of the template must not change them. */
const version = '0.1.0'

const without = <T>(all: Readonly<Record<string, T>>, names: readonly string[]) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)))

const dependsOn = ({ dependencies, optionalDependencies, peerDependencies }: Manifest, name: string) =>
  [dependencies, optionalDependencies, peerDependencies].some((each) => each !== undefined && Object.hasOwn(each, name))

/**
 * Removes development packages from package.json and package-lock.json, and resets the version.
 *
 * @throws when one of them has dependencies of its own, which would stay in package-lock.json
 */
export function dropPackages(tree: Tree, names: readonly string[]): Tree {
  const read = (path: string) => JSON.parse(tree.get(path)?.text ?? '')
  const write = (value: unknown) => ({ mode: '100644', text: `${JSON.stringify(value, null, 2)}\n` })
  const trim = (manifest: Manifest) => ({
    ...manifest,
    version,
    devDependencies: without(manifest.devDependencies ?? {}, names),
  })
  const manifest: Manifest = read('package.json')
  const lock = read('package-lock.json')
  const { '': root = {}, ...locked }: Locked = lock.packages
  const paths = names
    .filter((name) => Object.hasOwn(manifest.devDependencies ?? {}, name))
    .filter((name) => !Object.values(locked).some((each) => dependsOn(each, name)))
    .map((name) => `node_modules/${name}`)
  for (const path of paths) {
    if (locked[path]?.dependencies) throw new Error(`${path} has dependencies: remove them from package-lock.json too`)
  }
  const packages = { '': trim(root), ...without(locked, paths) }
  return new Map([
    ...tree,
    ['package.json', write(trim(manifest))],
    ['package-lock.json', write({ ...lock, version, packages })],
  ])
}
