import type { CompiledQuery, OperationNode } from 'kysely'

/** Describes a statement without its values. */
export interface DatabaseOperation {
  /** The operation and its tables, such as `SELECT notes`. */
  readonly summary: string
  /** `SELECT`, `INSERT` and so on, or `_OTHER`. */
  readonly name: string
  /** The table, when there is exactly one. */
  readonly collection?: string | undefined
}

/** Reports operations as spans. */
export interface DatabaseTracer {
  /** Starts a child of `parent`, or of the current span. Returns undefined when the current request is not recorded. */
  start(operation: DatabaseOperation, parent?: DatabaseSpan): DatabaseSpan | undefined
  /** Returns the id of the current span, or undefined when the current request is not recorded. */
  currentSpanId(): string | undefined
}

export interface DatabaseSpan {
  readonly spanId: string
  end(error?: unknown): void
}

export interface PoolState {
  readonly used: number
  readonly idle: number
  /** Statements and transactions that wait for a connection. */
  readonly waiting: number
}

/** Receives measurements. Durations are in milliseconds. */
export interface DatabaseObserver {
  /** Called once, with a function that reads the state of the pool. */
  onPool(read: () => PoolState): void
  /** Called when a statement or a transaction has waited for a connection. `gotOne` is false after a timeout. */
  onWait(durationMs: number, gotOne: boolean): void
  /**
   * Called when a query has ended. `operation` is `SELECT`, `INSERT`, `UPDATE`, `DELETE`, `MERGE`, `COMMIT`,
   * `ROLLBACK`, or `_OTHER` for raw SQL. The duration includes the wait for a connection. A stream is
   * reported only by its `COMMIT`.
   */
  onQuery(operation: string, durationMs: number, error?: unknown): void
}

/** Operations by the kinds of Kysely's root nodes. */
const OPERATIONS: Readonly<Record<string, string>> = {
  SelectQueryNode: 'SELECT',
  InsertQueryNode: 'INSERT',
  UpdateQueryNode: 'UPDATE',
  DeleteQueryNode: 'DELETE',
  MergeQueryNode: 'MERGE',
}

/** Returns the operation of a query by the kind of its root node. Any other kind, such as raw SQL, is `_OTHER`. */
export const findOperation = (kind: string) => OPERATIONS[kind] ?? '_OTHER'

/** First words of raw SQL. Any other word could be a part of a value. */
const RAW_VERB =
  /^\s*(select|insert|update|delete|merge|with|values|call|copy|create|alter|drop|truncate|lock|set|show|listen|notify|analyze|vacuum|explain|do|refresh)\b/i
/** The operation of a statement that begins with `with`. */
const WRITE = /\b(insert|update|delete|merge)\b/i
/** Quotes whose end these patterns cannot find. */
const UNCLEAR_QUOTES = /\\|\$\w*\$/
const TEXTS = /'[^']*'|--.*|\/\*.*?\*\//gs
/** The tables of a statement, without the `update` of `for update` and `do update`. */
const TABLES = /\b(?:from|join|into|(?<!\b(?:for|do|key)\s+)update)\s+"?([a-z_]\w*)"?(?![\w(."])/gi
/** The names of common table expressions. */
const EXPRESSIONS = /([a-z_]\w*)\s+as\s+(?:(?:not\s+)?materialized\s+)?\(/gi

const MAX_SUMMARY = 255

/** Describes a compiled query by its Kysely nodes, or by the words of raw SQL. */
export function describeQuery({ query, sql }: Pick<CompiledQuery, 'query' | 'sql'>): DatabaseOperation {
  const name = OPERATIONS[query.kind]
  if (name === undefined) return describeRaw(sql)
  const { from, into, table, joins } = query as Nodes
  const targets = [...listNodes(from), into, ...listNodes(table), ...(joins ?? []).map((join) => join.table)]
  return summarize(name, targets.flatMap(findTable))
}

function describeRaw(sql: string): DatabaseOperation {
  const verb = RAW_VERB.exec(sql)?.[1]?.toUpperCase()
  if (verb === undefined || UNCLEAR_QUOTES.test(sql)) return summarize(verb ?? '_OTHER', [])
  const text = sql.replaceAll(TEXTS, ' ')
  const name = verb === 'WITH' ? (WRITE.exec(text)?.[1]?.toUpperCase() ?? 'SELECT') : verb
  const list = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, found = '']) => found)
  const expressions = verb === 'WITH' ? list(EXPRESSIONS) : []
  return summarize(
    name,
    list(TABLES).filter((table) => !expressions.includes(table)),
  )
}

function summarize(name: string, found: readonly string[]): DatabaseOperation {
  const tables = [...new Set(found)]
  const summary = [name, ...tables].join(' ').slice(0, MAX_SUMMARY)
  return { summary, name, collection: tables.length === 1 ? tables[0] : undefined }
}

/** The nodes of a root node that may contain a table. */
interface Nodes {
  readonly from?: OperationNode
  readonly into?: OperationNode
  readonly table?: OperationNode
  readonly joins?: readonly { readonly table: OperationNode }[]
}

type Node = OperationNode & {
  readonly froms?: readonly OperationNode[]
  readonly items?: readonly OperationNode[]
  readonly node?: OperationNode
  readonly table?: { readonly identifier: { readonly name: string } }
}

const listNodes = (node: Node | undefined) => node?.froms ?? node?.items ?? [node]

/** Returns the name of a table with or without an alias. A subquery has no name. */
function findTable(node: Node | undefined): string | readonly string[] {
  const target = node?.kind === 'AliasNode' ? (node.node as Node | undefined) : node
  return target?.kind === 'TableNode' && target.table !== undefined ? target.table.identifier.name : []
}
