import { posix } from 'node:path'
import type { Tree } from './make-service.ts'

const IMPORT = /(?:\bfrom |\bimport |\bimport\(|\brequire\()'([^'\n]+)'/g

/** Finds the files and the packages that the code of a tree imports. */
function findImports(tree: Tree): ReadonlySet<string> {
  const imports = [...tree].flatMap(([path, text]) =>
    [...text.matchAll(IMPORT)].map(([, name = '']) => {
      if (name.startsWith('.')) return posix.join(posix.dirname(path), name)
      return name.split('/', name.startsWith('@') ? 2 : 1).join('/')
    }),
  )
  return new Set(imports)
}

/** Removes the test support that only removed files import. @returns the packages that only removed files import */
export function dropOrphans(template: Tree, kept: Tree): { readonly kept: Tree; readonly packages: readonly string[] } {
  const used = findImports(kept)
  const orphans = [...findImports(template)].filter((name) => !used.has(name))
  const rest = new Map([...kept].filter(([path]) => !(path.startsWith('test/') && orphans.includes(path))))
  return rest.size === kept.size ? { kept, packages: orphans } : dropOrphans(template, rest)
}
