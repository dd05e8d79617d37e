import { beforeEach, expect, test } from '@jest/globals'
import { createNotes, type Note, type NotesStore } from './notes.ts'

const stored = (id: string, version = 1): Note => ({
  id,
  version,
  createdAt: `2026-11-22T20:46:02.12${id}Z`,
  updatedAt: '2026-11-22T20:46:02.125Z',
  title: 'The title',
  text: 'The text',
})
const absent = async () => undefined
const changed: string[] = []
const cache = {
  through: (_id: string, load: () => Promise<Note | undefined>) => load(),
  put: async ({ id, version }: Note) => void changed.push(`put ${id} ${version}`),
  remove: async (id: string) => void changed.push(`remove ${id}`),
}
beforeEach(() => {
  changed.length = 0
})

const open = (store: Partial<NotesStore>) => createNotes({ store: store as NotesStore, cache })
const free = () => {}

test('what is not there is not found, and the cache is left alone', async () => {
  const notes = open({ find: absent, update: absent, remove: absent })
  for (const asked of [notes.get('1'), notes.update('1', {}, free), notes.remove('1', free)]) {
    await expect(asked).rejects.toMatchObject({ code: 'not_found' })
  }
  expect(changed).toEqual([])
})

test('the cache follows a change when it has been made, and only then', async () => {
  const notes = open({
    update: async (id, _changes, check) => {
      check(stored(id))
      return stored(id, 2)
    },
    remove: async (id) => stored(id),
  })
  await notes.update('1', {}, free)
  await notes.remove('1', free)
  const refuse = () => {
    throw new Error('refused')
  }
  await expect(notes.update('2', {}, refuse)).rejects.toThrow('refused')
  expect(changed).toEqual(['put 1 2', 'remove 1'])
})

test('a page asks for one more than it shows', async () => {
  const limits: number[] = []
  const notes = open({
    list: async ({ limit }) => {
      limits.push(limit)
      return ['3', '2', '1'].slice(0, limit).map((id) => stored(id))
    },
  })
  const page = (limit: number) => notes.list({ limit, sort: '-createdAt', filters: {} })
  expect(await page(2)).toMatchObject({ items: [{ id: '3' }, { id: '2' }], next: expect.any(String) })
  expect(await page(3)).toMatchObject({ items: { length: 3 }, next: null })
  expect(limits).toEqual([3, 4])
})
