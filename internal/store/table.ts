import { type Generated, type RawBuilder, type SelectQueryBuilder, type SqlBool, sql } from 'kysely'
import { CodedError } from '#pkg/problem/index.ts'
import { type PageRequest, readSort, type Stored } from '#pkg/resource/index.ts'
import type { STORE_PROBLEMS } from './problems.ts'

/** Columns of every resource's table. The database fills them in. */
export type StoredTable = { readonly [Name in keyof Stored]: Generated<Stored[Name]> }

export const STORED = ['id', 'version', 'createdAt', 'updatedAt'] as const

/** The rows after the cursor of a page. Without a cursor, all rows. `table` is the name or the alias in the query. */
export function after(table: string, { sort, cursor }: Pick<PageRequest, 'sort' | 'cursor'>): RawBuilder<SqlBool> {
  if (cursor === undefined) return sql`true`
  const { field, direction } = readSort(sort)
  // A joined table has columns of the same names.
  const position = sql`(${sql.ref(`${table}.${field}`)}, ${sql.ref(`${table}.id`)})`
  return sql`${position} ${sql.raw(direction === 'asc' ? '>' : '<')} (${cursor.value}, ${cursor.id})`
}

/** Adds the filters, the order, the cursor and the limit of a page to a query. The query may join other tables. */
export function selectPage<DB, Tables extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, Tables, Row>,
  table: Tables & string,
  page: PageRequest<keyof DB[Tables] & string, Partial<DB[Tables]>>,
): SelectQueryBuilder<DB, Tables, Row> {
  const { field, direction } = readSort(page.sort)
  const filters = Object.entries(page.filters).filter(([, value]) => value !== undefined)
  return filters
    .reduce((query, [name, value]) => query.where(sql<SqlBool>`${sql.ref(`${table}.${name}`)} = ${value}`), query)
    .where(after(table, page))
    .orderBy(sql.ref(`${table}.${field}`), direction)
    .orderBy(sql.ref(`${table}.id`), direction)
    .limit(page.limit)
}

type StoreProblem = keyof typeof STORE_PROBLEMS

/**
 * PostgreSQL reports a violated foreign key with one code for both sides. The message names three objects when the row
 * is still referenced (table, constraint, referencing table), and two when the referenced row does not exist. It may
 * be in any language.
 */
function findForeignKeyProblem(message: string): StoreProblem {
  const quotes = message.match(/["“”„«»]/g) ?? []
  return quotes.length > 4 ? 'still_referenced' : 'reference_not_found'
}

/** SQLSTATE codes and classes: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const CODES: readonly (readonly [RegExp, StoreProblem])[] = [
  [/^23505$/, 'conflict'],
  // Connection failure, failed login, no resources, shutdown or cancellation, lock or transaction timeout.
  [/^(08|28|53|57)...$|^(3D000|25P03|40001|40P01|55P03)$/, 'database_unavailable'],
  [/^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/, 'database_unavailable'],
]

/** Messages of pg's errors without a code: no connection, a broken connection, no response. */
const MESSAGES = /^Connection terminated|^timeout exceeded when trying to connect|^Query read timeout|not queryable$/

/** Returns the problem that a driver's error means, or undefined for a defect of this program. */
export function findStoreProblem(error: unknown): StoreProblem | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (code === '23503') return findForeignKeyProblem(String(message))
  if (typeof code === 'string') return CODES.find(([pattern]) => pattern.test(code))?.[1]
  return MESSAGES.test(String(message)) ? 'database_unavailable' : undefined
}

type Method = (...args: never[]) => Promise<unknown>

/** Wraps each method of a store so that it throws a CodedError in place of the driver's error. */
export function withStoreProblems<S extends { readonly [name in keyof S]: Method }>(store: S): S {
  const wrapped = Object.entries<Method>(store).map(([name, method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args)
      } catch (error) {
        const code = findStoreProblem(error)
        throw code === undefined ? error : new CodedError(code, { cause: error })
      }
    },
  ])
  return Object.fromEntries(wrapped)
}
