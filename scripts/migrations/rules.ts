import type { Migration } from '#pkg/postgres/migrate-plan.ts'
import { findCreatedTable, findIndexedTable, findUpdatedTable, parseAlterTable, splitStatements } from './statements.ts'

/**
 * - `breaks`: the version that still runs fails on the new schema. Allowed in a migration with `phase = 'contract'`.
 * - `blocks`: writers wait while PostgreSQL reads or rewrites a table. Allowed in a migration that exports `blocking`.
 * - `fails`: the migration cannot run, or cannot run again after an interruption. Never allowed.
 */
type Kind = 'breaks' | 'blocks' | 'fails'

export interface Finding {
  readonly kind: Kind
  readonly statement: string
  readonly advice: string
}

type Rule = readonly [kind: Kind, pattern: RegExp, advice: string]

const BACKFILL = 'add a nullable column or a default, and backfill in batches'
const NOT_VALID = 'add the constraint with `not valid`, and validate it in a later migration'
const COLUMN_CHECK = 'add the column, then the constraint with `not valid`, and validate it in a later migration'
const USING_INDEX = 'create the index concurrently, and add the constraint with `using index`'

/** Rules for one action of `alter table` on a table that exists. */
const ACTION_RULES: readonly Rule[] = [
  ['breaks', /^drop (?!constraint\b)/i, 'drop the column when no running version uses it'],
  [
    'breaks',
    /^(?:rename (?!constraint\b)|set schema\b)/i,
    'add the new name beside the old one, and drop the old one later',
  ],
  [
    'breaks',
    /^alter (?:column )?\S+ (?:set data )?type\b/i,
    'add a column of the new type, and drop the old one later',
  ],
  ['breaks', /^alter (?:column )?\S+ set not null\b/i, 'the running version may still write null'],
  ['breaks', /^alter (?:column )?\S+ drop default\b/i, 'the running version may still rely on the default'],
  ['breaks', /^add (?!constraint\b)(?!.*\b(?:default|generated)\b).*\bnot null\b/i, BACKFILL],
  ['blocks', /^add (?!constraint\b).*\bdefault\b.*\b(?:\w*random\w*|uuid\w*|clock_timestamp|nextval)\(/i, BACKFILL],
  ['blocks', /^add (?!constraint\b).*(?:\bstored\b|\bas identity\b|serial\b)/i, BACKFILL],
  ['blocks', /^add (?!constraint\b|check\b).*\bcheck ?\(/i, COLUMN_CHECK],
  ['blocks', /^add (?!.*\bnot valid\b)(?:constraint \S+ )?(?:foreign key|check|not null)\b/i, NOT_VALID],
  ['blocks', /^add (?!.*\busing index\b).*\b(?:unique|primary key|exclude)\b/i, USING_INDEX],
  ['blocks', /^set (?:tablespace|logged|unlogged|access method)\b/i, 'it rewrites the table'],
]

/** Rules for a whole statement. */
const STATEMENT_RULES: readonly Rule[] = [
  [
    'breaks',
    /^(?:drop (?:table|(?:materialized )?view|schema|type|domain|function|procedure|sequence)|truncate)\b/i,
    'drop it when no running version uses it',
  ],
  [
    'breaks',
    /^alter (?:(?:materialized )?view|schema|type|domain|function|procedure|sequence) .*\b(?:rename|set schema)\b/i,
    'add the new name beside the old one, and drop the old one later',
  ],
  ['blocks', /^drop index (?!concurrently\b)/i, 'drop the index concurrently'],
  ['blocks', /^(?:reindex|refresh materialized view) (?!.*\bconcurrently\b)/i, 'use `concurrently`'],
  ['blocks', /^(?:vacuum full|vacuum \(.*\bfull\b|cluster|lock)\b/i, 'it locks the table'],
  ['fails', /^(?:begin|start transaction|commit|end|rollback)\b/i, 'the runner opens and ends the transactions'],
]

const CONCURRENTLY =
  'export const transaction = false, and a list of statements `create index concurrently if not exists …`'
const NO_TRANSACTION = 'PostgreSQL refuses it in a transaction: export const transaction = false'

function examine(statement: string, { transaction = true }: Migration, isNew: (table?: string) => boolean): Rule[] {
  const found = STATEMENT_RULES.filter(([, pattern]) => pattern.test(statement))
  const isConcurrent = /\bconcurrently\b/i.test(statement)
  const add = (kind: Kind, advice: string) => found.push([kind, /^/, advice])

  const altered = parseAlterTable(statement)
  if (altered !== undefined && !isNew(altered.table)) {
    found.push(...ACTION_RULES.filter(([, pattern]) => altered.actions.some((action) => pattern.test(action))))
  }
  const indexed = findIndexedTable(statement)
  if (indexed !== undefined && !isNew(indexed) && !isConcurrent) add('blocks', CONCURRENTLY)
  const updated = findUpdatedTable(statement)
  if (updated !== undefined && !isNew(updated) && !/\bwhere\b/i.test(statement)) {
    add('blocks', 'update in batches, each with a `where`')
  }
  if (isConcurrent && transaction) add('fails', NO_TRANSACTION)
  if (/^(?:create|drop) .*\bconcurrently (?!if\b)/i.test(statement)) {
    add('fails', 'it cannot run again after an interruption: use `if not exists` or `if exists`')
  }
  return found
}

/** Finds the statements of a migration that are unsafe while the previous version serves. */
export function findUnsafe(migration: Migration): readonly Finding[] {
  const { up, transaction = true, phase, blocking } = migration
  const texts = [up].flat().map(splitStatements)
  const statements = texts.flat()
  const created = new Set(statements.flatMap((statement) => findCreatedTable(statement) ?? []))
  const isNew = (table = '') => created.has(table)
  const allowed = new Set<Kind>([...(phase ? ['breaks' as const] : []), ...(blocking ? ['blocks' as const] : [])])

  const findings = statements.flatMap((statement) =>
    examine(statement, migration, isNew).map(([kind, , advice]): Finding => ({ kind, statement, advice })),
  )
  const validates = statements.find((statement) => /\bvalidate constraint\b/i.test(statement))
  if (validates !== undefined && transaction && statements.some((statement) => /\bnot valid\b/i.test(statement))) {
    findings.push({ kind: 'blocks', statement: validates, advice: 'validate it in a separate migration' })
  }
  const together = transaction ? undefined : texts.find(({ length }) => length > 1)
  if (together !== undefined) {
    findings.push({
      kind: 'fails',
      statement: together[0] ?? '',
      advice: 'without a transaction, `up` is a list of statements',
    })
  }
  return findings.filter(({ kind }) => !allowed.has(kind))
}
