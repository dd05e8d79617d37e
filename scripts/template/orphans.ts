import { posix } from 'node:path'
import type { Tree } from './make-service.ts'

const IMPORT = /(?<=\b(?:from |import |import\(|require\())'([^'\n]+)'/g

/** Returns the path of an imported file, or the name of an imported package. */
export function resolveImport(path: string, name: string): string {
  if (name.startsWith('.')) return posix.join(posix.dirname(path), name)
  return name.startsWith('#') ? name.slice(1) : name.split('/', name.startsWith('@') ? 2 : 1).join('/')
}

/** Lists the files and the packages that a file imports. */
const listImports = (path: string, text: string) =>
  /\.[cm]?[jt]s$/.test(path) ? [...text.matchAll(IMPORT)].map(([, name = '']) => resolveImport(path, name)) : []

const findImports = (tree: Tree): ReadonlySet<string> =>
  new Set([...tree].flatMap(([path, text]) => listImports(path, text)))

/** Finds the files that the given files import, directly or not. */
export function findReached(tree: Tree, from: Iterable<string>): ReadonlySet<string> {
  const reached = new Set(from)
  // The loop also visits the files that it adds.
  for (const path of reached)
    for (const name of listImports(path, tree.get(path) ?? '')) if (tree.has(name)) reached.add(name)
  return reached
}

const isTest = (path: string) => path.startsWith('test/')

/** Removes the tests that import a removed file, and the files of deploy/ that do. */
export function dropDependents(template: Tree, kept: Tree): Tree {
  const isBroken = (path: string, text: string) =>
    /^(test|deploy)\//.test(path) && listImports(path, text).some((name) => template.has(name) && !kept.has(name))
  const rest = new Map([...kept].filter(([path, text]) => !isBroken(path, text)))
  return rest.size === kept.size ? kept : dropDependents(template, rest)
}

/** Removes the test support that only removed files use. @returns the packages that only removed files import */
export function dropOrphans(template: Tree, kept: Tree): { readonly kept: Tree; readonly packages: readonly string[] } {
  const used = findImports(kept)
  const orphans = [...findImports(template)].filter((name) => !used.has(name))
  const texts = [...kept].filter(([path]) => isTest(path))
  // Tests start a program or a script by its path.
  const isUnused = (path: string) =>
    /\/programs\/|\.(txt|sh)$/.test(path) &&
    !texts.some(([other, text]) => other !== path && text.includes(posix.basename(path)))
  // `make resilience` finds its scenarios by a pattern.
  const isOrphan = (path: string) => orphans.includes(path) && !path.includes('/scenarios/')
  // Resources that a service generates later import test support.
  const templates = [...kept].filter(([path]) => path.startsWith('scripts/resource/')).map(([, text]) => text)
  const isOfResource = (path: string) => templates.some((text) => text.includes(path.replace(/^test/, '')))
  const isDropped = (path: string) => isTest(path) && !isOfResource(path) && (isOrphan(path) || isUnused(path))
  const rest = new Map([...kept].filter(([path]) => !isDropped(path)))
  return rest.size === kept.size ? { kept, packages: orphans } : dropOrphans(template, rest)
}
