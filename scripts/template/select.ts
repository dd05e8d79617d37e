import { FILES } from './parts.ts'

/** Files by path. */
export type Tree = ReadonlyMap<string, File>

export interface File {
  /** As git has it. */
  readonly mode: string
  readonly text: string
}

/** The ways to run a service: one folder of deploy/ each. */
export function waysOf(paths: Iterable<string>): readonly string[] {
  const folders = [...paths].filter((path) => path.startsWith('deploy/')).map((path) => path.split('/')[1] ?? '')
  return [...new Set(folders)].sort()
}

/** The comment of a line or, alone on its line, of all lines up to `[end]`. */
const MARK = /^(.*?)\s*(?:\/\/|#|<!--) \[(?:only ([a-z ]+)|end)\](?: -->)?$/

/**
 * Keeps the lines that belong to no part or to one that `isKept`, and takes the marks away.
 *
 * @throws when a block does not end, or none begins
 */
export function selectLines(text: string, isKept: (part: string) => boolean): string {
  const kept: string[] = []
  let block: 'none' | 'kept' | 'dropped' = 'none'
  let isGap = false
  for (const line of text.split('\n')) {
    const [mark, content = line, parts] = MARK.exec(line) ?? []
    const isWanted: boolean = block !== 'dropped' && (parts === undefined || parts.split(' ').some(isKept))
    if (mark !== undefined && content === '') {
      const opens = parts !== undefined
      if (opens !== (block === 'none')) throw new Error(`a block does not end, or none began: ${line}`)
      if (opens) block = isWanted ? 'kept' : 'dropped'
      else block = 'none'
    } else if (!isWanted) {
      isGap = true
    } else {
      const last = kept.at(-1) ?? ''
      // What goes leaves one empty line between its neighbours, not two, and an empty list on one line.
      if (isGap && /[[{]$/.test(last) && /^\s*[\]}]/.test(content)) kept.push(kept.pop() + content.trim())
      else if (!isGap || content !== '' || last !== '') kept.push(content)
      isGap = false
    }
  }
  if (block !== 'none') throw new Error('a block does not end')
  return kept.join('\n')
}

/** The parts that a file belongs to; none: it is the service's own. */
function partsOf(path: string): readonly string[] {
  const [folder, way = ''] = path.split('/')
  if (folder === 'deploy') return [way]
  const owners = Object.entries(FILES).filter(([owned]) => path === owned || path.startsWith(`${owned}/`))
  return owners.flatMap(([, parts]) => parts)
}

/** A service's own files: those of no part and of the parts that `isKept`. */
export function select(tree: Tree, isKept: (part: string) => boolean): Tree {
  const known = new Set(['template', 'example', ...waysOf(tree.keys())])
  const isKeptPart = (part: string) => {
    if (!known.has(part)) throw new Error(`no part of the template: ${part}`)
    return isKept(part)
  }
  for (const owned of Object.keys(FILES)) {
    const exists = [...tree.keys()].some((path) => path === owned || path.startsWith(`${owned}/`))
    if (!exists) throw new Error(`not in the template, though parts.ts names it: ${owned}`)
  }
  const kept = [...tree].filter(([path]) => {
    const parts = partsOf(path)
    return parts.length === 0 || parts.some(isKeptPart)
  })
  return new Map(
    kept.map(([path, { mode, text }]) => {
      try {
        return [path, { mode, text: selectLines(text, isKeptPart) }]
      } catch (cause) {
        throw new Error(`${path}: ${(cause as Error).message}`, { cause })
      }
    }),
  )
}
