import { CodedError } from '#pkg/problem/index.ts'
import { createPage, type Match, type Page, type PageRequest, type Stored } from '#pkg/resource/index.ts'

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
  /** Changes the note if it has one of these versions. Otherwise resolves with undefined. */
  update(id: string, changes: NoteChanges, match: Match): Promise<Note | undefined>
  remove(id: string, match: Match): Promise<Pick<Note, 'id'> | undefined>
}

export interface NotesDeps {
  readonly store: NotesStore
}

/**
 * Operations on notes. Each throws a CodedError `not_found` when the note does not exist, and a change throws
 * `precondition_failed` when the note has another version.
 */
export type Notes = ReturnType<typeof createNotes>

export function createNotes({ store }: NotesDeps) {
  /** Throws the reason why no note has changed. */
  async function refuse(id: string): Promise<never> {
    throw new CodedError((await store.find(id)) === undefined ? 'not_found' : 'precondition_failed')
  }

  return {
    create: (fields: NoteFields): Promise<Note> => store.insert(fields),

    async get(id: string): Promise<Note> {
      const found = await store.find(id)
      if (found === undefined) throw new CodedError('not_found')
      return found
    },

    async list(page: NotesPage): Promise<Page<Note>> {
      return createPage(await store.list({ ...page, limit: page.limit + 1 }), page)
    },

    async update(id: string, changes: NoteChanges, match: Match): Promise<Note> {
      return (await store.update(id, changes, match)) ?? refuse(id)
    },

    async remove(id: string, match: Match): Promise<void> {
      if ((await store.remove(id, match)) === undefined) await refuse(id)
    },
  }
}
