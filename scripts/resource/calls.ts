import type { Removal } from './files.ts'
import { type Names, rename } from './names.ts'

/** The list of the routes that call another service. */
const ROUTES = 'internal/upstreams.ts'

/**
 * Removes operations that call another service: their handler, their rules, their tests, and their lines in
 * `internal/upstreams.ts`. Returns undefined when this file does not list them.
 *
 * @param paths the files of this project
 * @throws when the lines are not complete
 */
export function unmakeCalls(
  { names, read }: { readonly names: Names; readonly read: (path: string) => string },
  paths: readonly string[],
): Removal | undefined {
  const plural = rename('user-profiles', names)
  const own = new RegExp(`'\\./(?:handler|service)/${plural}\\.ts'$|^ {2}\\['${plural}', `)
  const lines = paths.includes(ROUTES) ? read(ROUTES).split('\n') : []
  const kept = lines.filter((line) => !own.test(line))
  const count = lines.length - kept.length
  if (count === 0) return undefined
  if (count !== 3) throw new Error(`${ROUTES} does not have two imports and one line for ${plural}`)
  const files = new RegExp(
    `^(internal/(handler|service)/${plural}(\\.test)?\\.ts|(test|deploy/respond)/${plural}(\\.test\\.ts|/.+)|load/(.+/)?${plural}(\\.test\\.ts|\\.json))$`,
  )
  return {
    deleted: paths.filter((path) => files.test(path)),
    edited: new Map([[ROUTES, kept.join('\n').replace(' = [\n]', ' = []')]]),
    mentioning: [],
  }
}
