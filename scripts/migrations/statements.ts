/**
 * Removes comments, and empties string literals and function bodies, so that a search finds only SQL. Keeps quoted
 * names.
 */
function strip(sql: string): string {
  return sql.replaceAll(/"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|\$(\w*)\$[\s\S]*?\$\1\$/g, (token) => {
    if (token.startsWith('"')) return token
    return token.startsWith('-') || token.startsWith('/') ? ' ' : "''"
  })
}

/** Splits at a separator that no parentheses enclose. */
function split(sql: string, separator: string): readonly string[] {
  const parts = ['']
  let depth = 0
  for (const character of sql) {
    if (character === '(') depth++
    if (character === ')') depth--
    if (character === separator && depth === 0) parts.push('')
    else parts[parts.length - 1] += character
  }
  return parts.map((part) => part.replaceAll(/\s+/g, ' ').trim()).filter((part) => part !== '')
}

export const splitStatements = (sql: string) => split(strip(sql), ';')

export interface AlterTable {
  readonly table: string
  /** `add column x text`, `drop constraint y`, … */
  readonly actions: readonly string[]
}

const unquote = (name: string) => name.replaceAll('"', '').toLowerCase()

export function parseAlterTable(statement: string): AlterTable | undefined {
  const [, table, actions] = /^alter table (?:if exists )?(?:only )?([\w$."]+)(?: \*)? (.+)$/i.exec(statement) ?? []
  if (table === undefined || actions === undefined) return undefined
  return { table: unquote(table), actions: split(actions, ',') }
}

/** Creates a function that finds the table of a statement. The first group of `pattern` is its name. */
const createTableFinder = (pattern: RegExp) => (statement: string) => {
  const [, table] = pattern.exec(statement) ?? []
  return table === undefined ? undefined : unquote(table)
}

export const findCreatedTable = createTableFinder(
  /^create (?:(?:global |local )?temp(?:orary)? |unlogged )?table (?:if not exists )?([\w$."]+)/i,
)
export const findIndexedTable = createTableFinder(/^create (?:unique )?index .*?\bon (?:only )?([\w$."]+)/i)
export const findUpdatedTable = createTableFinder(/^update (?:only )?([\w$."]+)/i)
