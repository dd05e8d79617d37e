import type { Tree } from './make-service.ts'
import { resolveImport } from './orphans.ts'

interface Capability {
  /** Matches the paths of its files. */
  readonly files: RegExp
  /** The capabilities that it uses. */
  readonly needs?: readonly string[]
}

/** Optional capabilities by the name of their folder in pkg/. A service has all files of a capability or none. */
export const CAPABILITIES: Readonly<Record<string, Capability>> = {
  /** Registration with Consul, Nacos and Eureka, and `app bridge`. */
  discovery: { files: /(^|\/)(bridge|discovery|registry)([.-][^/]*)?(\/|$)|^deploy\/(consul|eureka|nacos)\// },
  /** Periodic jobs. */
  jobs: { files: /(^|\/)(\d+-)?jobs?([.-][^/]*)?(\/|$)/ },
  /** `app respond`. */
  respond: {
    files: /(^|\/)respond(er)?([.-][^/]*)?(\/|$)|^internal\/handler\/alerts\.ts$/,
    needs: ['upstream'],
  },
  /** Calls to other services, with their example, and the faults of the alerts, which call an upstream. */
  upstream: { files: /(^|\/)(upstreams?|log-upstream|payments)([.-][^/]*)?(\/|$)|^deploy\/prometheus\/harness\// },
}

/** Lists the capabilities that a template has. A template of an older commit may lack some. */
export const listCapabilities = (paths: readonly string[]): readonly string[] =>
  Object.keys(CAPABILITIES).filter((name) => paths.some((path) => CAPABILITIES[name]?.files.test(path)))

const IMPORT = /^import (?:type )?(?:(?:\* as )?(\w+)|\{([^}]*)\}) from '([^']+)'\n/gm

/** Finds the matches of the first group of `pattern` in the files whose path matches `files`. */
export const findNames = (tree: Tree, files: RegExp, pattern: RegExp): ReadonlySet<string> =>
  new Set(
    [...tree]
      .filter(([path]) => files.test(path))
      .flatMap(([, text]) => [...text.matchAll(pattern)].map(([, name = '']) => name)),
  )

/** Lists the variables that a tree declares in config/. */
export const listVariables = (tree: Tree): ReadonlySet<string> =>
  findNames(tree, /^config\/(?!.*\.test\.ts$)/, /^ {2}([A-Z][A-Z0-9_]*):/gm)

const indent = (line: string) => line.length - line.trimStart().length
const isComment = (line: string) => /^\s*(\/\/|\/\*|\*)/.test(line)

/**
 * Finds the lines of the statement or the list item that contains a line. The code is formatted, so indentation shows
 * the structure. A line that loads a module belongs to the `if` block around it.
 */
function findUnit(lines: readonly string[], index: number): readonly [start: number, end: number] {
  const findParent = (at: number) =>
    lines.findLastIndex((each, i) => i < at && each !== '' && indent(each) < indent(lines[at] ?? ''))
  let start = index
  // An expression may continue on lines with more indentation.
  while (!/(^|[{[])$/.test(lines[findParent(start)] ?? '')) start = findParent(start)
  const parent = findParent(start)
  if (lines[index]?.includes("import('") && /^\s*if \(.*\) \{$/.test(lines[parent] ?? '')) start = parent
  const level = indent(lines[start] ?? '')
  const next = lines.findIndex((each, i) => i > start && each !== '' && indent(each) <= level)
  const isClosing = indent(lines[next] ?? '') === level && /^\s*[)\]}]/.test(lines[next] ?? '')
  let end = isClosing ? next : (next === -1 ? lines.length : next) - 1
  while (lines[end] === '') end--
  while (isComment(lines[start - 1] ?? '') && indent(lines[start - 1] ?? '') === level) start--
  return [start, end]
}

const isBalanced = (text: string) =>
  ['()', '[]', '{}'].every(([open = '', close = '']) => text.split(open).length === text.split(close).length)

/** Removes the items that use a removed name from a list on one line, unless all items do. */
function dropItems(line: string, isUsed: (text: string) => boolean): string {
  const [, before = '', list = '', after = ''] = /^([^[{]*[[{] ?)(.*?)( ?[\]}][^\]}]*)$/.exec(line) ?? []
  const items = list.split(', ')
  const kept = items.filter((item) => !isUsed(item))
  return list !== '' && kept.length > 0 && items.every(isBalanced) && !isUsed(before + after)
    ? before + kept.join(', ') + after
    : line
}

/** Removes the constants that only removed lines used. */
function dropUnused(lines: readonly string[], removed: string): readonly string[] {
  const isUnused = (line: string) => {
    const [, name] = /^ +const (?:\{ )?(\w+)(?: \})? = .*[^{([]$/.exec(line) ?? []
    if (name === undefined) return false
    const uses = new RegExp(`\\b${name}\\b`)
    return uses.test(removed) && !lines.some((other) => other !== line && uses.test(other))
  }
  return lines.filter((line) => !isUnused(line))
}

/** Removes the imports of removed files, and the statements and the list items that use them or a removed variable. */
function dropUsesFrom(path: string, text: string, isGone: (path: string) => boolean, variables: readonly string[]) {
  const mentioned = variables.filter((name) => text.includes(name))
  const names: string[] = []
  const rest = text.replaceAll(IMPORT, (statement, own: string | undefined, list: string | undefined, from: string) => {
    if (!isGone(resolveImport(path, from))) return statement
    names.push(...(own ?? list ?? '').split(',').flatMap((each) => each.trim().replace(/^type |.* as /g, '') || []))
    return ''
  })
  const isUsed = (line: string) =>
    mentioned.some((name) => new RegExp(`\\b${name}\\b`).test(line)) ||
    // Not a property, and not a text in quotes.
    names.some((name) => new RegExp(`(?<![\\w.'-])${name}(?![\\w'-])`).test(line.replaceAll('...', ' '))) ||
    [...line.matchAll(/import\('([^']+)'\)/g)].some(([, from = '']) => isGone(resolveImport(path, from)))
  const lines = rest.split('\n')
  const removed: string[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ''
    if (isComment(line) || !isUsed(line)) continue
    const shorter = dropItems(line, isUsed)
    if (shorter !== line) {
      lines[index] = shorter
      continue
    }
    const [start, end] = findUnit(lines, index)
    const [, declared] = /^\s*(?:export )?(?:const|let) (\w+)\b/.exec(lines[start] ?? '') ?? []
    if (declared !== undefined) names.push(declared)
    // Two groups of lines stay separated by one empty line.
    const isBetween = lines[start - 1] === '' && lines[end + 1] === ''
    removed.push(...lines.splice(start, end - start + 1 + Number(isBetween)))
    index = start - 1
  }
  return dropUnused(lines, removed.join('\n')).join('\n')
}

/** Removes the paragraphs of .env.example whose variables are gone. */
const dropVariables = (text: string, isGone: (name: string) => boolean) =>
  text
    .split('\n\n')
    .filter((paragraph) => {
      const names = [...paragraph.matchAll(/^#([A-Z][A-Z0-9_]*)=/gm)].map(([, name = '']) => name)
      return names.length === 0 || !names.every(isGone)
    })
    .join('\n\n')
    .replaceAll(/([A-Z][A-Z0-9_]*),\s(?:# )?/g, (item, name) => (isGone(name) ? '' : item))

/** Removes the lines that name a removed file or variable from the sources and from .env.example. */
export function dropUses(template: Tree, kept: Tree): Tree {
  const isGone = (path: string) => template.has(path) && !kept.has(path)
  const left = listVariables(kept)
  const variables = [...listVariables(template)].filter((name) => !left.has(name))
  const sources = [...kept].filter(([path]) => /^(src|config|internal)\/.*\.ts$/.test(path))
  return new Map([
    ...kept,
    ...sources.map(([path, text]) => [path, dropUsesFrom(path, text, isGone, variables)] as const),
    ['.env.example', dropVariables(kept.get('.env.example') ?? '', (name) => variables.includes(name))],
  ])
}
