import { posix } from 'node:path'

/** Splits before each line that does not continue the item of a list. */
const ITEMS = /\n(?!\s+(?![-*] |\d+\. )\S)/
const ITEM = /^\s*(?:\||[-*] |\d+\. )/
const LINK = /\]\(([^):#\s]+)(?:#[^)\s]*)?\)/g
const EMPTY_TABLE = /^\|.*\|\n\|[-:| ]+\|\n(?!\|)/gm

/** Removes the rows of tables and the items of lists in a page that link to a file that does not exist. */
export function dropDeadLinks(path: string, text: string, exists: (path: string) => boolean): string {
  const isDead = (item: string) =>
    ITEM.test(item) &&
    [...item.matchAll(LINK)].some(([, to = '']) => !exists(posix.join(posix.dirname(path), to).replace(/\/$/, '')))
  const items = text.split(ITEMS)
  const kept = items.filter((item) => !isDead(item))
  return kept.length === items.length
    ? text
    : kept
        .join('\n')
        .replace(EMPTY_TABLE, '')
        .replaceAll(/\n{3,}/g, '\n\n')
}

/** Applies `dropDeadLinks` to every page. @returns the pages that change */
export function dropAllDeadLinks(paths: Iterable<string>, read: (path: string) => string): ReadonlyMap<string, string> {
  const all = [...paths]
  const existing = new Set(
    all.flatMap((path) => path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'))),
  )
  const pages = all.filter((path) => path.endsWith('.md'))
  return new Map(
    pages.flatMap((path) => {
      const text = read(path)
      const changed = dropDeadLinks(path, text, (to) => existing.has(to))
      return changed === text ? [] : [[path, changed]]
    }),
  )
}
