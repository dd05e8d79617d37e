import type { Kysely } from 'kysely'
import type { NoteFields, NotesStore } from '../service/notes.ts'
import type { Database } from './postgres.ts'
import { STORED, type StoredTable, selectPage, withStoreProblems } from './table.ts'

// During a rollout the table may have columns that this version does not know.
const COLUMNS = [...STORED, 'title', 'text'] as const

export function createNotesStore(database: Kysely<Database>): NotesStore {
  const db = database.withTables<{ readonly notes: StoredTable & NoteFields }>()
  const locked = (transaction: typeof db, id: string) =>
    transaction.selectFrom('notes').select(COLUMNS).where('id', '=', id).forUpdate().executeTakeFirst()

  return withStoreProblems<NotesStore>({
    insert: (fields) => db.insertInto('notes').values(fields).returning(COLUMNS).executeTakeFirstOrThrow(),

    find: (id) => db.selectFrom('notes').select(COLUMNS).where('id', '=', id).executeTakeFirst(),

    list: (page) => selectPage(db.selectFrom('notes').select(COLUMNS), 'notes', page).execute(),

    update: (id, changes, check) =>
      db.transaction().execute(async (transaction) => {
        const current = await locked(transaction, id)
        if (current === undefined) return undefined
        check(current)
        const next = { ...changes, version: current.version + 1 }
        const query = transaction.updateTable('notes').set(next).where('id', '=', id)
        return query.returning(COLUMNS).executeTakeFirstOrThrow()
      }),

    remove: (id, check) =>
      db.transaction().execute(async (transaction) => {
        const current = await locked(transaction, id)
        if (current === undefined) return undefined
        check(current)
        await transaction.deleteFrom('notes').where('id', '=', id).execute()
        return current
      }),
  })
}
