import { posix } from 'node:path'

/** Matches the line feed before each line that does not continue a list item. */
const ITEMS = /\n(?!\s+(?![-*] |\d+\. )\S)/
const ITEM = /^\s*(?:\||[-*] |\d+\. )/
const LINK = /\]\(([^):#\s]+)(?:#[^)\s]*)?\)/g
const EMPTY_TABLE = /^\|.*\|\n\|[-:| ]+\|\n(?!\|)/gm

function dropFromPage(path: string, text: string, exists: (path: string) => boolean): string {
  const isDead = (item: string) =>
    ITEM.test(item) &&
    [...item.matchAll(LINK)].some(([, to = '']) => !exists(posix.join(posix.dirname(path), to).replace(/\/$/, '')))
  const items = text.split(ITEMS)
  const kept = items.filter((item) => !isDead(item))
  if (kept.length === items.length) return text
  const rest = kept.join('\n').replace(EMPTY_TABLE, '')
  return rest.replaceAll(/\n{3,}/g, '\n\n')
}

/**
 * Removes the rows of tables and the items of lists that link to a file that does not exist.
 *
 * @param paths the files that exist, pages and others
 * @returns the pages that change
 */
export function dropDeadLinks(paths: Iterable<string>, read: (path: string) => string): ReadonlyMap<string, string> {
  const files = [...paths]
  const exists = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`))
  const pages = files.filter((path) => path.endsWith('.md'))
  const texts = pages.map((path) => [path, dropFromPage(path, read(path), exists)] as const)
  return new Map(texts.filter(([path, text]) => text !== read(path)))
}
