import type { Kysely, Selectable } from 'kysely'
import type { Note, NoteFields, NotesStore } from '../service/notes.ts'
import type { Database } from './postgres.ts'
import { after, failing, type StoredTable, storedOf } from './table.ts'

type Tables = { readonly notes: StoredTable & NoteFields }

const noteOf = (row: Selectable<Tables['notes']>): Note => ({ ...storedOf(row), title: row.title, text: row.text })

export function createNotesStore(database: Kysely<Database>): NotesStore {
  const db = database.withTables<Tables>()
  const locked = (transaction: typeof db, id: string) =>
    transaction.selectFrom('notes').selectAll().where('id', '=', id).forUpdate().executeTakeFirst()

  return failing<NotesStore>({
    async insert(fields) {
      return noteOf(await db.insertInto('notes').values(fields).returningAll().executeTakeFirstOrThrow())
    },

    async find(id) {
      const row = await db.selectFrom('notes').selectAll().where('id', '=', id).executeTakeFirst()
      return row && noteOf(row)
    },

    async list({ limit, cursor }) {
      const query = db.selectFrom('notes').selectAll().where(after(cursor))
      const rows = await query.orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).execute()
      return rows.map(noteOf)
    },

    update: (id, changes, check) =>
      db.transaction().execute(async (transaction) => {
        const row = await locked(transaction, id)
        if (row === undefined) return undefined
        check(noteOf(row))
        const next = { ...changes, version: row.version + 1 }
        const query = transaction.updateTable('notes').set(next).where('id', '=', id)
        return noteOf(await query.returningAll().executeTakeFirstOrThrow())
      }),

    remove: (id, check) =>
      db.transaction().execute(async (transaction) => {
        const row = await locked(transaction, id)
        if (row === undefined) return undefined
        check(noteOf(row))
        await transaction.deleteFrom('notes').where('id', '=', id).execute()
        return noteOf(row)
      }),
  })
}
