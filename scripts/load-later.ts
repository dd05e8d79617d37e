import { createRequire, isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import type { Plugin } from 'esbuild'

const root = dirname(import.meta.dirname)

/** Loads the modules of these names at their first use, wherever a CommonJS package requires them. */
export function loadLater(names: readonly string[]): Plugin {
  const unused = new Set(names)
  const namespace = 'later'
  return {
    name: 'load later',
    setup({ onResolve, onLoad, onEnd, resolve }) {
      onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, namespace: importer }) => {
        if (!names.includes(path) || kind !== 'require-call' || importer === namespace) return undefined
        unused.delete(path)
        const { path: found } = await resolve(path, { kind: 'import-statement', resolveDir })
        return { path: isBuiltin(found) ? found : `./${relative(root, found)}`, namespace }
      })
      onLoad({ filter: /^/, namespace }, ({ path }) => {
        const type = typeof createRequire(import.meta.url)(isBuiltin(path) ? path : join(root, path))
        const module = `() => require(${JSON.stringify(path)}), '${type}'`
        return { contents: `module.exports = require('./scripts/executable/later.cjs')(${module})`, resolveDir: root }
      })
      onEnd(() => ({
        warnings: [...unused].map((name) => ({ text: `no package requires "${name}", so it cannot be loaded later` })),
      }))
    },
  }
}
