import { type Generated, type RawBuilder, type SqlBool, sql } from 'kysely'
import { Failure, type Position, type Stored } from '#pkg/resource/index.ts'

/** The columns that every table of a resource has besides its own, and that the database fills in. */
export type StoredTable = { readonly [Name in keyof Stored]: Generated<Stored[Name]> }

export const STORED = ['id', 'version', 'createdAt', 'updatedAt'] as const

/** What comes after a position in a list sorted newest first; without one, everything. */
export const after = (position: Position | undefined): RawBuilder<SqlBool> =>
  position === undefined ? sql`true` : sql`(created_at, id) < (${new Date(position.createdAt)}, ${position.id})`

/** https://www.postgresql.org/docs/current/errcodes-appendix.html, by code or by its class. */
const CODES: readonly (readonly [RegExp, string])[] = [
  [/^23505$/, 'conflict'],
  // No connection, not let in, no resources, going down or cancelled, a lock or a transaction that took too long.
  [/^(08|28|53|57)...$|^(3D000|25P03|40001|40P01|55P03)$/, 'database_unavailable'],
  [/^(ECONN|EPIPE|ETIMEDOUT|EHOST|ENET|ENOTFOUND|EAI_)/, 'database_unavailable'],
]

/** What pg says without a code when a connection is not to be had, breaks, or does not answer. */
const MESSAGES = /^Connection terminated|^timeout exceeded when trying to connect|^Query read timeout|not queryable$/

/** The code of a failure that is not this program's mistake. */
export function databaseFailure(error: unknown): string | undefined {
  const { code, message } = error as { code?: unknown; message?: unknown }
  if (typeof code === 'string') return CODES.find(([pattern]) => pattern.test(code))?.[1]
  return MESSAGES.test(String(message)) ? 'database_unavailable' : undefined
}

type Method = (...args: never[]) => Promise<unknown>

/** The store, with such an error as a Failure. */
export function failing<S extends { readonly [name in keyof S]: Method }>(store: S): S {
  const wrapped = Object.entries<Method>(store).map(([name, method]) => [
    name,
    async (...args: never[]) => {
      try {
        return await method(...args)
      } catch (error) {
        const code = databaseFailure(error)
        throw code === undefined ? error : new Failure(code, { cause: error })
      }
    },
  ])
  return Object.fromEntries(wrapped)
}
