import { beforeEach, describe, expect, test } from '@jest/globals'
import request from 'supertest'
import { listInvalidFields, readCode, readLocation } from '../support/described.ts'
import { useNotes } from './use-notes.ts'

/* The lists that every resource has, tested with notes. */

const notes = useNotes()
const { create, query, send, title } = notes

describe('a request', () => {
  const cursor = (...parts: unknown[]) => `cursor=${Buffer.from(JSON.stringify(parts)).toString('base64url')}`
  const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
  test.each([
    'limit=0',
    'limit=101',
    'limit=999999999999999999999',
    'limit=1e1',
    'limit=-1',
    'limit=',
    'limit=1&limit=2',
    'cursor=',
    'cursor=garbage',
    `cursor=${'A'.repeat(2_001)}`,
    cursor('-createdAt', '2026-13-45T00:00:00.000Z', id),
    cursor('-createdAt', '0000-01-01T00:00:00.000Z', id),
    cursor('-createdAt', '2026-11-22T20:46:02.125Z', "' or 1=1"),
    cursor('-createdAt', 7, id),
    cursor('-createdAt', null, id),
    `sort=title&${cursor('title', 'a\0', id)}`,
    'sort=text',
    'sort=id',
    'sort=title,createdAt',
    'sort=',
    'sort=title&sort=-title',
    'title=x',
    'Limit=1',
    '__proto__=1',
  ])('with ?%s is a 422 that names the parameter', async (query) => {
    const response = await send('get', `/v1/notes?${query}`)
    const name = query.replace(/^sort=title&cursor/, 'cursor').replace(/=.*/, '')
    expect([readCode(response), listInvalidFields(response)]).toEqual(['422 invalid_input', [name]])
  })

  test('with a parameter that the operation does not declare is a 422 without effect', async () => {
    const path = readLocation(await create())
    const headers = { 'if-match': '*' }
    const responses = [
      await send('post', '/v1/notes?dryRun=true', { body: { title: title() } }),
      await send('get', `${path}?dryRun=true`),
      await send('patch', `${path}?dryRun=true`, { body: { text: 'x' }, headers }),
      await send('delete', `${path}?dryRun=true`, { headers }),
    ]
    const error = { in: 'query', field: 'dryRun', message: 'Unknown parameter' }
    expect(responses.map(({ body }) => body.errors)).toEqual(responses.map(() => [error]))
    expect((await send('get', path)).body).toMatchObject({ version: 1 })
    await request(notes.service.app.url).get('/ping?dryRun=true').expect(200)
    await request(notes.service.app.url).get('/health?dryRun=true').expect(200)
  })
})

describe('the list', () => {
  beforeEach(async () => {
    await query('delete from notes')
  })

  async function walk(limit: number, between = async () => {}, sort?: string): Promise<string[]> {
    const seen: string[] = []
    const list = sort === undefined ? `limit=${limit}` : `limit=${limit}&sort=${sort}`
    let query = list
    while (true) {
      const { body } = await send('get', `/v1/notes?${query}`)
      seen.push(...body.items.map((note: { title: string }) => note.title))
      expect(body.items.length).toBeLessThanOrEqual(limit)
      if (body.next === null) return seen
      expect(body.items).toHaveLength(limit)
      query = `${list}&cursor=${body.next}`
      await between()
    }
  }

  test('has 20 items in a page by default', async () => {
    await query(`insert into notes (title, text) select 'n' || n, '' from generate_series(1, 25) n`)
    expect((await send('get', '/v1/notes')).body.items).toHaveLength(20)
    expect((await send('get', '/v1/notes?limit=100')).body).toMatchObject({ items: { length: 25 }, next: null })
    expect((await send('get', '/v1/notes?limit=25')).body.next).toBeNull()
  })

  test('has each note once, newest first, while other notes are written and deleted', async () => {
    const written: string[] = []
    for (let count = 0; count < 25; count++) written.unshift((await create()).body.title)
    const seen = await walk(7, async () => {
      await create()
      await query('delete from notes where title = $1', [written[0]])
    })
    expect(seen).toEqual(written)
  })

  test('has every note when several were written at the same moment', async () => {
    await query(
      `insert into notes (title, text, created_at) select 'n' || n, '', '2026-11-22T20:46:02.1254Z' from generate_series(1, 50) n`,
    )
    const seen = await walk(3)
    expect(seen).toHaveLength(50)
    expect(new Set(seen).size).toBe(50)
  })

  test('is sorted by title in both directions, while other notes are written and deleted', async () => {
    const titles = ['m', 'B', 'ä', '😀', 'a b', 'z', '"', '\u0001', 'x'.repeat(200), '😀'.repeat(200), 'A', '10', '9']
    for (const title of titles) await create({ title })
    const { rows } = await query('select title from notes order by title')
    const sorted = rows.map((row) => row.title)
    expect(sorted).toHaveLength(titles.length)
    expect(await walk(1, undefined, 'title')).toEqual(sorted)
    const writeAndDelete = async () => {
      await create({ title: `${sorted.at(-1)}${title()}`.slice(-200) })
      await query('delete from notes where title = $1', [sorted[0]])
    }
    expect(await walk(12, writeAndDelete, 'title')).toEqual(expect.arrayContaining(sorted.slice(1)))
    await query('delete from notes where title <> all($1)', [titles])
    expect(await walk(5, undefined, '-title')).toEqual(sorted.slice(1).toReversed())
  })

  test('refuses the cursor of another sort order with the error cursor_mismatch', async () => {
    for (let count = 0; count < 2; count++) await create()
    const { next } = (await send('get', '/v1/notes?limit=1')).body
    const response = await send('get', `/v1/notes?limit=1&sort=title&cursor=${next}`)
    expect([readCode(response), response.body.detail]).toEqual([
      '400 cursor_mismatch',
      expect.stringContaining('another sort order'),
    ])
    expect((await send('get', `/v1/notes?limit=1&sort=-createdAt&cursor=${next}`)).body.items).toHaveLength(1)
  })

  test('describes its sort orders', async () => {
    const { body } = await request(notes.service.app.url).get('/openapi.json').expect(200)
    const { parameters } = body.paths['/v1/notes'].get
    expect(parameters.map(({ name }: { name: string }) => name)).toEqual(['sort', 'limit', 'cursor'])
    expect(parameters[0]).toMatchObject({
      in: 'query',
      required: false,
      schema: { type: 'string', enum: ['createdAt', '-createdAt', 'title', '-title'], default: '-createdAt' },
    })
  })

  test('reads every page from an index', async () => {
    await query('set enable_seqscan = off; set enable_sort = off')
    const { rows } = await query(
      `explain select * from notes where (created_at, id) < ('2026-11-22T20:46:02.125Z', '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90') order by created_at desc, id desc limit 21`,
    )
    await query('reset all')
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    expect(plan).toMatch(/Index Scan using notes_newest_first/)
    expect(plan).toMatch(/Index Cond: \(ROW\(created_at, id\) </)
  })
})
