import { posix } from 'node:path'

/** Matches the line feed before each line that does not continue a list item. */
const ITEMS = /\n(?![ \t]+(?![-*] |\d+\. )\S)/
const ITEM = /^\s*(?:\||[-*] |\d+\. )/
const LINK = /\]\(([^):#\s]+)(?:#[^)\s]*)?\)/g
const CODE = /`([^`\n]+)`/g
const EMPTY_TABLE = /^\|.*\|\n\|[-:| ]+\|\n(?!\|)/gm
const SECTIONS = /^(?=##+ )/m
/** Matches an import of code on a page. */
const MODULE = / from '#(pkg\/[^']+)'/g
const CODE_BLOCK = /(^```.*?^```$)/ms
/** Matches lines that belong to no heading, list or table. */
const PARAGRAPH = /(?<=\n\n|^)(?![#|>\s]|[-*] |\d+\. ).+?(?=\n\n|\n*$)/gs
const SENTENCES = /(?<=[.!?])\s+(?=[A-Z`[*])/
/** Matches a remark that consists of a link, in parentheses or after a colon. */
const REMARK = /\s\(\[[^\]]*\]\([^)]*\)\)|:\s\[[^\]]*\]\([^)]*\)(?=\.)/g

interface Gone {
  /** Tells whether a linked file or folder has been deleted. */
  readonly isDeleted: (path: string) => boolean
  /**
   * Tells whether inline code names something that no longer exists.
   *
   * @param table the page, when the code is in the first column of a table
   */
  readonly isGone: (code: string, table?: string) => boolean
}

/** Creates a function that tells whether a file, or a folder with files, is among `paths`. */
export function createExists(paths: Iterable<string>): (path: string) => boolean {
  const known = new Set(paths)
  for (const path of known) if (path.includes('/')) known.add(posix.dirname(path))
  return (path) => known.has(path)
}

const isFirstCell = (row: string, index: number) => row.startsWith('|') && index < row.indexOf('|', 1)

function dropEmptySections(text: string): string {
  // Reads the lines from the end. `below` is the level of the next heading, or Infinity when text comes first.
  let below = 0
  let isCode = false
  const isKept = (line: string) => {
    if (line.startsWith('```')) isCode = !isCode
    const level = isCode ? 0 : (/^#+(?= )/.exec(line)?.[0].length ?? 0)
    if (level > 0 && level >= below) return false
    if (level > 0) below = level
    else if (line !== '') below = Number.POSITIVE_INFINITY
    return true
  }
  return text.split('\n').reverse().filter(isKept).reverse().join('\n')
}

function dropFromPage(path: string, text: string, { isDeleted, isGone }: Gone): string {
  const isDead = (part: string) =>
    [...part.matchAll(LINK)].some(([, to = '']) => isDeleted(posix.join(posix.dirname(path), to).replace(/\/$/, ''))) ||
    [...part.matchAll(CODE)].some(({ 1: code = '', index }) =>
      isGone(code, isFirstCell(part, index) ? path : undefined),
    )
  const dropSentences = (paragraph: string) =>
    paragraph
      .split(SENTENCES)
      .map((sentence) => sentence.replaceAll(REMARK, (remark) => (isDead(remark) ? '' : remark)))
      .filter((sentence) => !isDead(sentence))
      .join(' ')
  const dropDead = (part: string) =>
    part
      .split(ITEMS)
      .filter((item) => !(ITEM.test(item) && isDead(item)))
      .join('\n')
      .replaceAll(PARAGRAPH, (paragraph) => (isDead(paragraph) ? dropSentences(paragraph) : paragraph))

  const needsGone = (section: string) => [...section.matchAll(MODULE)].some(([, module = '']) => isDeleted(module))
  const parts = text
    .split(SECTIONS)
    .filter((section) => !needsGone(section))
    .join('')
    .split(CODE_BLOCK)
  const kept = parts.map((part) => (part.startsWith('```') ? part : dropDead(part))).join('')
  if (kept === text) return text
  const sections = dropEmptySections(kept.replace(EMPTY_TABLE, ''))
  return sections.replaceAll(/\n{3,}/g, '\n\n').replace(/\n+$/, '\n')
}

/**
 * Removes the table rows, list items and sentences that link to a deleted file, or whose inline code names something
 * for which `isGone` returns true. Also removes the sections whose code imports a deleted file.
 *
 * @param before the files before the deletion, pages and others
 * @param after the files that are left
 * @returns the pages that change
 */
export function dropDeadLinks(
  before: Iterable<string>,
  after: Iterable<string>,
  read: (path: string) => string,
  isGone: Gone['isGone'] = () => false,
): ReadonlyMap<string, string> {
  const left = [...after]
  const [existed, exists] = [createExists(before), createExists(left)]
  const isDeleted = (path: string) => existed(path) && !exists(path)
  const pages = left.filter((path) => path.endsWith('.md'))
  const texts = pages.map((path) => [path, dropFromPage(path, read(path), { isDeleted, isGone })] as const)
  return new Map(texts.filter(([path, text]) => text !== read(path)))
}
