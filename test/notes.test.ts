import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { newNote, wrongNote } from './notes/new-note.ts'
import {
  type DescribedService,
  listInvalidFields,
  readCode,
  readLocation,
  readPages,
  startDescribed,
} from './support/described.ts'

let service: DescribedService
beforeAll(async () => {
  service = await startDescribed()
})
afterAll(() => service.stop())

const fields = () => newNote(service)
const create = async (body?: object) => service.send('post', '/v1/notes', { body: body ?? (await fields()) })
const any = { 'if-match': '*' }

test('notes are created, read, listed, changed and deleted', async () => {
  const sent = await fields()
  const created = await create(sent)
  const { id, createdAt, updatedAt } = created.body
  expect([created.status, created.body]).toEqual([201, { ...sent, id, version: 1, createdAt, updatedAt }])

  const path = readLocation(created)
  expect((await service.send('get', path)).body).toEqual(created.body)
  expect((await service.send('get', '/v1/notes')).body).toMatchObject({ items: [created.body], next: null })

  const changes = await fields()
  const changed = await service.send('patch', path, { body: changes, headers: { 'if-match': '"1"' } })
  expect(changed.body).toEqual({ ...created.body, ...changes, version: 2, updatedAt: changed.body.updatedAt })
  expect((await service.send('get', path)).body).toEqual(changed.body)

  expect((await service.send('delete', path, { headers: { 'if-match': '"2"' } })).status).toBe(204)
  expect(readCode(await service.send('get', path))).toBe('404 not_found')
})

test('an optional field has its default', async () => {
  const { text: _text, ...required } = await fields()
  expect((await create(required)).body).toMatchObject({ ...required, text: '' })
})

test('the response names each invalid field', async () => {
  const invalid = await create({ ...wrongNote, id: '1' })
  expect(readCode(invalid)).toBe('422 invalid_input')
  expect(listInvalidFields(invalid)).toEqual([...Object.keys(wrongNote), 'id'])
  const unchanged = await create()
  const refused = await service.send('patch', readLocation(unchanged), { body: wrongNote, headers: any })
  expect(listInvalidFields(refused)).toEqual(Object.keys(wrongNote))
})

test('a change requires the current version in if-match', async () => {
  const path = readLocation(await create())
  for (const method of ['patch', 'delete'] as const) {
    const body = method === 'patch' ? { body: await fields() } : {}
    expect(readCode(await service.send(method, path, body))).toBe('428 precondition_required')
    const response = await service.send(method, path, { ...body, headers: { 'if-match': '"2"' } })
    expect(readCode(response)).toBe('412 precondition_failed')
  }
  expect((await service.send('get', path)).body).toMatchObject({ version: 1 })
})

test.each(['title'])('two notes cannot have the same %s', async (name) => {
  const [one, two] = [await create(), await create()]
  const same = { [name]: one.body[name] }
  expect(readCode(await create({ ...(await fields()), ...same }))).toBe('409 conflict')
  expect(readCode(await service.send('patch', readLocation(two), { body: same, headers: any }))).toBe('409 conflict')
  expect((await service.send('get', readLocation(two))).body).toEqual(two.body)
})

test.each(['createdAt', 'title'])('the list is sorted by %s in both directions, page after page', async (name) => {
  for (let count = 0; count < 3; count++) await create()
  const ascending = await readPages(service, `/v1/notes?limit=2&sort=${name}`)
  expect(new Set(ascending.map(({ id }) => id)).size).toBe(ascending.length)
  expect(ascending.length).toBeGreaterThanOrEqual(3)
  const descending = await readPages(service, `/v1/notes?limit=2&sort=-${name}`)
  expect(descending).toEqual(ascending.toReversed())
})
