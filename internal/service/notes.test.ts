import { expect, test } from '@jest/globals'
import { createNotes, type NotesStore } from './notes.ts'

// A row of a list may have more fields than a resource. The rules do not read them.
type Row = Awaited<ReturnType<NotesStore['list']>>[number]
const stored = (id: string, version = 1) =>
  ({
    id,
    version,
    createdAt: `2026-11-22T20:46:02.12${id}Z`,
    updatedAt: '2026-11-22T20:46:02.125Z',
  }) as Row
const absent = async () => undefined
const open = (store: Partial<NotesStore>) => createNotes({ store: store as NotesStore })

test('a resource that does not exist is not found', async () => {
  const notes = open({ find: absent, update: absent, remove: absent })
  for (const asked of [notes.get('1'), notes.update('1', {}, 'any'), notes.remove('1', 'any')]) {
    await expect(asked).rejects.toMatchObject({ code: 'not_found' })
  }
})

test('a change of another version fails', async () => {
  const notes = open({ find: async (id) => stored(id, 2), update: absent, remove: absent })
  for (const asked of [notes.update('1', {}, [1]), notes.remove('1', [1])]) {
    await expect(asked).rejects.toMatchObject({ code: 'precondition_failed' })
  }
})

test('a page requests one row more than it contains', async () => {
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
