import { type Generated, type RawBuilder, type SelectQueryBuilder, type SelectType, type SqlBool, sql } from 'kysely'
import { type Executor, prepare } from '#pkg/postgres/index.ts'
import { type Match, type PageRequest, readSort, type Sort, type Stored } from '#pkg/resource/index.ts'

/** Columns of every resource's table. The database fills them in. */
export type StoredTable = { readonly [Name in keyof Stored]: Generated<Stored[Name]> }

export type ById = Pick<Stored, 'id'>

/** Selects the row of this id that has one of these versions, or any version. */
export interface ByVersion extends ById {
  readonly versions: readonly number[] | undefined
}

export const byVersion = (id: string, match: Match): ByVersion => ({
  id,
  versions: match === 'any' ? undefined : match,
})

/**
 * The condition of a change. PostgreSQL waits for a change of the same row in progress and then tests the condition
 * again, so exactly one of two changes of the same version takes effect.
 */
export const hasVersion = ({ id, versions }: ByVersion): RawBuilder<SqlBool> =>
  versions === undefined ? sql`id = ${id}` : sql`id = ${id} and version = any(${versions}::int[])`

export const NEXT_VERSION = { version: sql<number>`version + 1` }

export const STORED = ['id', 'version', 'createdAt', 'updatedAt'] as const

/**
 * Selects the rows after the cursor of a page, or all rows without a cursor. `table` is the name or the alias in the
 * query.
 */
export function after(table: string, { sort, cursor }: Pick<PageRequest, 'sort' | 'cursor'>): RawBuilder<SqlBool> {
  if (cursor === undefined) return sql`true`
  const { field, direction } = readSort(sort)
  // Qualify the columns: a joined table has columns with the same names.
  const position = sql`(${sql.ref(`${table}.${field}`)}, ${sql.ref(`${table}.id`)})`
  return sql`${position} ${sql.raw(direction === 'asc' ? '>' : '<')} (${cursor.value}, ${cursor.id})`
}

/** The values of a page by name, as `prepare` needs them. */
interface PageValues {
  readonly limit: number
  readonly cursorValue?: string | number | undefined
  readonly cursorId?: string | undefined
  readonly [filter: `filter ${string}`]: unknown
}

const toValues = ({ limit, cursor, filters }: PageRequest): PageValues => ({
  ...Object.fromEntries(Object.entries(filters).map(([name, value]) => [`filter ${name}`, value])),
  ...{ limit, cursorValue: cursor?.value, cursorId: cursor?.id },
})

/** The values of some columns in a row. */
type Selected<Table, Column extends keyof Table> = { [Name in Column]: SelectType<Table[Name]> }

/**
 * Prepares a list: adds the filters, the order, the cursor and the limit of a page to a query, which may join other
 * tables. Each combination of a sort order and filters is compiled once.
 *
 * @param select starts the query
 * @param table name or alias of the table that has the fields of the page
 * @param columns columns of this table to select. A joined table may have columns with the same names.
 */
export function prepareList<
  DB,
  Tables extends keyof DB & string,
  Row,
  Table extends Tables,
  Column extends keyof DB[Table] & string = never,
>(
  select: () => SelectQueryBuilder<DB, Tables, Row>,
  table: Table,
  columns: readonly Column[] = [],
): (
  executor: Executor,
  page: PageRequest<keyof DB[Table] & string, Partial<DB[Table]>>,
) => Promise<(Row & Selected<DB[Table], Column>)[]> {
  const selected = () => select().select(columns.map((name) => sql.ref(`${table}.${name}`).as(name)))
  const list = prepare(({ limit, cursorValue: value, cursorId: id, ...filters }: PageValues, sort: Sort) => {
    const { field, direction } = readSort(sort)
    const column = (name: string) => sql.ref(`${table}.${name}`)
    return Object.entries(filters)
      .map(([name, value]) => sql<SqlBool>`${column(name.replace('filter ', ''))} = ${value}`)
      .reduce((query, filter) => query.where(filter), selected())
      .where(after(table, { sort, cursor: value === undefined || id === undefined ? undefined : { value, id } }))
      .orderBy(column(field), direction)
      .orderBy(column('id'), direction)
      .limit(limit)
  })
  return (executor, page) => {
    const rows: Promise<unknown[]> = list.execute(executor, toValues(page), page.sort)
    return rows as Promise<(Row & Selected<DB[Table], Column>)[]>
  }
}
