import type { Kysely } from 'kysely'
import { type Executor, prepare, withStoreProblems } from '#pkg/postgres/index.ts'
import type { NoteChanges, NoteFields, NotesStore } from '../service/notes.ts'
import type { Database } from './postgres.ts'
import {
  type ById,
  type ByVersion,
  byVersion,
  hasVersion,
  NEXT_VERSION,
  prepareList,
  STORED,
  type StoredTable,
} from './table.ts'

// During a roll-out the table may have columns that this version does not know.
const COLUMNS = [...STORED, 'title', 'text'] as const

/** Returns a function that opens the store on the database or in a transaction. Both share the compiled queries. */
export function prepareNotesStore(database: Kysely<Database>): (executor: Executor) => NotesStore {
  const db = database.withTables<{ readonly notes: StoredTable & NoteFields }>()
  const insert = prepare((fields: NoteFields) => db.insertInto('notes').values(fields).returning(COLUMNS))
  const find = prepare(({ id }: ById) => db.selectFrom('notes').select(COLUMNS).where('id', '=', id))
  const list = prepareList(() => db.selectFrom('notes'), 'notes', COLUMNS)
  const update = prepare(({ id, versions, ...changes }: ByVersion & NoteChanges) =>
    db
      .updateTable('notes')
      .set({ ...changes, ...NEXT_VERSION })
      .where(hasVersion({ id, versions }))
      .returning(COLUMNS),
  )
  const remove = prepare((row: ByVersion) => db.deleteFrom('notes').where(hasVersion(row)).returning('id'))

  return (executor) =>
    withStoreProblems<NotesStore>({
      insert: (fields) => insert.takeFirstOrThrow(executor, fields),

      find: (id) => find.takeFirst(executor, { id }),

      list: (page) => list(executor, page),

      update: (id, changes, match) => update.takeFirst(executor, { ...changes, ...byVersion(id, match) }),

      remove: (id, match) => remove.takeFirst(executor, byVersion(id, match)),
    })
}
