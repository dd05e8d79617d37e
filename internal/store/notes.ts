import type { Kysely } from 'kysely'
import { type Executor, inTransaction, prepare, withStoreProblems } from '#pkg/postgres/index.ts'
import type { NoteChanges, NoteFields, NotesStore } from '../service/notes.ts'
import type { Database } from './postgres.ts'
import { type ById, type NextVersion, prepareList, STORED, type StoredTable } from './table.ts'

// During a roll-out the table may have columns that this version does not know.
const COLUMNS = [...STORED, 'title', 'text'] as const

/** Returns a function that opens the store on the database or in a transaction. Both share the compiled queries. */
export function prepareNotesStore(database: Kysely<Database>): (executor: Executor) => NotesStore {
  const db = database.withTables<{ readonly notes: StoredTable & NoteFields }>()
  const insert = prepare((fields: NoteFields) => db.insertInto('notes').values(fields).returning(COLUMNS))
  const find = prepare(({ id }: ById) => db.selectFrom('notes').select(COLUMNS).where('id', '=', id))
  const lock = prepare(({ id }: ById) => db.selectFrom('notes').select(COLUMNS).where('id', '=', id).forUpdate())
  const list = prepareList(() => db.selectFrom('notes').select(COLUMNS), 'notes')
  const update = prepare(({ id, ...next }: NextVersion & NoteChanges) =>
    db.updateTable('notes').set(next).where('id', '=', id).returning(COLUMNS),
  )
  const remove = prepare(({ id }: ById) => db.deleteFrom('notes').where('id', '=', id))

  return (executor) =>
    withStoreProblems<NotesStore>({
      insert: (fields) => insert.takeFirstOrThrow(executor, fields),

      find: (id) => find.takeFirst(executor, { id }),

      list: (page) => list(executor, page),

      update: (id, changes, check) =>
        inTransaction(executor, async (transaction) => {
          const current = await lock.takeFirst(transaction, { id })
          if (current === undefined) return undefined
          check(current)
          return update.takeFirstOrThrow(transaction, { ...changes, id, version: current.version + 1 })
        }),

      remove: (id, check) =>
        inTransaction(executor, async (transaction) => {
          const current = await lock.takeFirst(transaction, { id })
          if (current === undefined) return undefined
          check(current)
          await remove.execute(transaction, { id })
          return current
        }),
    })
}
