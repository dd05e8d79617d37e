import type { Choices } from './choices.ts'
import type { Tree } from './make-service.ts'

/** A service has its own version, which an upgrade of the template must not change. */
const version = '0.1.0'

const without = (all: object = {}, names: readonly string[]) =>
  Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)))

/**
 * Removes packages from package.json and package-lock.json, and resets the version.
 *
 * @throws when a removed package has dependencies, which would stay in package-lock.json
 */
export function dropPackages(tree: Tree, names: readonly string[]): Tree {
  const read = (path: string) => JSON.parse(tree.get(path) ?? '')
  const write = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`
  const trim = <T extends { readonly dependencies?: object; readonly devDependencies?: object }>(manifest: T) => ({
    ...manifest,
    version,
    dependencies: without(manifest.dependencies, names),
    devDependencies: without(manifest.devDependencies, names),
  })
  const [manifest, lock] = [read('package.json'), read('package-lock.json')]
  const { '': root, ...locked } = lock.packages
  const dependencies = JSON.stringify(Object.values(locked))
  const isOwn = (name: string) =>
    [manifest.dependencies, manifest.devDependencies].some((own) => Object.hasOwn(own, name))
  const paths = names
    .filter((name) => isOwn(name) && !dependencies.includes(`"${name}":`))
    .map((name) => `node_modules/${name}`)
  const parent = paths.find((path) => locked[path]?.dependencies)
  if (parent !== undefined) throw new Error(`${parent} has dependencies: remove them from package-lock.json too`)
  const packages = { '': trim(root), ...without(locked, paths) }
  return new Map([
    ...tree,
    ['package.json', write(trim(manifest))],
    ['package-lock.json', write({ ...lock, version, packages })],
  ])
}

/** Returns the files of the service that name its license. */
export function writeLicense(template: Tree, service: Tree, { license, owner }: Choices, year: number): Tree {
  // Both licenses have the placeholders of the Apache License.
  const text = template
    .get(`scripts/template/licenses/${license}.txt`)
    ?.replace(/\[yyyy\] \[name of copyright owner\]/, () => `${year} ${owner}`)
  // In both files, the first license is that of the service.
  const manifests = ['package.json', 'package-lock.json'].map((path) => {
    const named = `"license": "${text === undefined ? 'UNLICENSED' : license}"`
    return [path, (service.get(path) ?? '').replace(/"license": "[^"]*"/, named)] as const
  })
  return new Map([...manifests, ...(text === undefined ? [] : [['LICENSE', text] as const])])
}
