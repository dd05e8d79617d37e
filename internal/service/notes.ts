import { CodedError } from '#pkg/problem/index.ts'
import { createPage, type Page, type PageRequest, type Stored } from '#pkg/resource/index.ts'

export interface NoteFields {
  readonly title: string
  readonly text: string
}

export type Note = Stored & NoteFields

export type NoteChanges = { readonly [Name in keyof NoteFields]?: NoteFields[Name] | undefined }

/** The fields to sort and to filter by. The table has an index for each. */
export type NotesPage = PageRequest<'createdAt' | 'title'>

export interface NotesStore {
  insert(fields: NoteFields): Promise<Note>
  find(id: string): Promise<Note | undefined>
  list(page: NotesPage): Promise<Note[]>
  /** Locks the note and calls `check` with it. When `check` throws, the note remains unchanged. */
  update(id: string, changes: NoteChanges, check: (current: Note) => void): Promise<Note | undefined>
  remove(id: string, check: (current: Note) => void): Promise<Note | undefined>
}

export interface NotesDeps {
  readonly store: NotesStore
}

/** Operations on notes. Each throws a CodedError `not_found` when the note does not exist. */
export type Notes = ReturnType<typeof createNotes>

export function createNotes({ store }: NotesDeps) {
  return {
    create: (fields: NoteFields): Promise<Note> => store.insert(fields),

    async get(id: string): Promise<Note> {
      return requireFound(await store.find(id))
    },

    async list(page: NotesPage): Promise<Page<Note>> {
      return createPage(await store.list({ ...page, limit: page.limit + 1 }), page)
    },

    async update(id: string, changes: NoteChanges, check: (current: Note) => void): Promise<Note> {
      return requireFound(await store.update(id, changes, check))
    },

    async remove(id: string, check: (current: Note) => void): Promise<void> {
      requireFound(await store.remove(id, check))
    },
  }
}

function requireFound(found: Note | undefined): Note {
  if (found === undefined) throw new CodedError('not_found')
  return found
}
