import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import pg from 'pg'
import request, { type Response } from 'supertest'
import { startApp } from '../support/app.ts'
import { bothOk, listInvalidFields, readCode, readLocation } from '../support/described.ts'
import { until } from '../support/services.ts'
import { useNotes } from './use-notes.ts'

/* The behaviour that every resource shares, tested with notes: hostile input, safe retries, and stores that fail. */

const notes = useNotes()
const { connectAdmin, create, query, send, title } = notes

const readProblem = (answer: Response) => ({ code: readCode(answer), retryAfter: answer.headers['retry-after'] })

async function countNotes(title: string): Promise<number> {
  return Number((await query('select count(*) from notes where title = $1', [title])).rows[0].count)
}

test('without a database, the router and the document lack the paths of notes', async () => {
  const bare = await startApp()
  await request(bare.url).get('/v1/notes').expect(404)
  expect((await request(bare.url).get('/openapi.json').expect(200)).body.paths).not.toHaveProperty('/v1/notes')
})

describe('a note', () => {
  test('supports HEAD, and has a later updatedAt after a change', async () => {
    const created = await create()
    const path = readLocation(created)
    const head = await request(notes.service.app.url).head(path).expect(200, undefined)
    expect(head.headers['etag']).toBe('"1"')
    const changed = await send('patch', path, { body: { text: 'Two bottles' }, headers: { 'if-match': '"1"' } })
    expect(changed.headers['etag']).toBe('"2"')
    expect(changed.body.updatedAt > created.body.updatedAt).toBe(true)
    expect(changed.body.createdAt).toBe(created.body.createdAt)
  })

  test('is a 304 without a body when the client has the current version', async () => {
    const path = readLocation(await create())
    const fresh = await send('get', path, { headers: { 'if-none-match': '"7", W/"1"' } })
    expect([fresh.status, fresh.text, fresh.headers['etag']]).toEqual([304, '', '"1"'])
    expect((await send('get', path, { headers: { 'if-none-match': '"2"' } })).status).toBe(200)
  })

  test('does not change without the current version in if-match', async () => {
    const path = readLocation(await create())
    for (const method of ['patch', 'delete'] as const) {
      const body = method === 'patch' ? { body: { text: 'x' } } : {}
      expect(readCode(await send(method, path, body))).toBe('428 precondition_required')
      for (const tag of ['"2"', 'W/"1"', '1', '"1', '']) {
        const response = await send(method, path, { ...body, headers: { 'if-match': tag } })
        expect([tag, readCode(response)]).toEqual([tag, '412 precondition_failed'])
      }
    }
    expect((await send('get', path)).body).toMatchObject({ version: 1, text: '' })
    expect((await send('patch', path, { body: { text: 'x' }, headers: { 'if-match': '"7", "1"' } })).status).toBe(200)
    expect((await send('delete', path, { headers: { 'if-match': '*' } })).status).toBe(204)
  })

  test('accepts exactly one of two changes to the same version', async () => {
    const path = readLocation(await create())
    for (let version = 1; version <= 10; version++) {
      const change = (text: string) => send('patch', path, { body: { text }, headers: { 'if-match': `"${version}"` } })
      const responses = await Promise.all([change('a'), change('b')])
      expect(responses.map(({ status }) => status).sort()).toEqual([200, 412])
      const made = responses.find(({ status }) => status === 200)
      expect((await send('get', path)).body).toEqual(made?.body)
    }
  })

  test('loses no update of clients that read, change and retry at the same time', async () => {
    const path = readLocation(await create({ title: title(), text: '0' }))
    async function increment(): Promise<void> {
      const { body } = await send('get', path)
      const headers = { 'if-match': `"${body.version}"` }
      const { status } = await send('patch', path, { body: { text: String(Number(body.text) + 1) }, headers })
      if (status !== 200) await increment()
    }
    const incrementTwice = () => increment().then(increment)
    await Promise.all(Array.from({ length: 8 }, incrementTwice))
    expect((await send('get', path)).body).toMatchObject({ text: '16', version: 17 })
  })
})

describe('a request', () => {
  test.each([
    ['no body', undefined, ['']],
    ['an empty object', '{}', ['title']],
    ['a list', '[]', ['']],
    ['an empty title', '{"title":""}', ['title']],
    ['a title that is too long', JSON.stringify({ title: 'x'.repeat(201) }), ['title']],
    ['a text that is too long', JSON.stringify({ title: 'x', text: 'x'.repeat(10_001) }), ['text']],
    ['wrong types', '{"title":7,"text":null}', ['title', 'text']],
    ['fields that only the service sets', '{"title":"x","id":"1","version":9}', ['id', 'version']],
    ['__proto__', '{"title":"x","__proto__":{"admin":true}}', ['__proto__']],
    ['constructor', '{"title":"x","constructor":{"prototype":{}}}', ['constructor']],
    ['NUL', JSON.stringify({ title: 'a\0b', text: '\0' }), ['title', 'text']],
    ['half of an emoji', '{"title":"\\ud83d"}', ['title']],
  ])('with %s is a 422 that names each field', async (_name, body, fields) => {
    const response = await send('post', '/v1/notes', body === undefined ? {} : { body })
    expect(readCode(response)).toBe('422 invalid_input')
    expect(listInvalidFields(response)).toEqual(fields)
  })

  test.each([
    ['10,000 emoji', { title: '😀'.repeat(200), text: '😀'.repeat(10_000) }],
    ['SQL', { title: `'; drop table notes; --`, text: `$1 \\' "; select pg_sleep(10)` }],
    ['control characters', { title: '\u0001\u001b[31m\u007f\u202e', text: '\r\n\t\ufeff' }],
  ])('stores %s unchanged', async (_name, fields) => {
    const created = await create(fields)
    expect([created.status, created.body]).toEqual([201, expect.objectContaining(fields)])
    await query('select from notes')
    expect((await send('get', readLocation(created))).body).toMatchObject(fields)
  })

  test.each(['7', 'undefined', "1'--", '%00', '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'])(
    'with the id %s is a 404',
    async (id) => {
      const headers = { 'if-match': '*' }
      expect(readCode(await send('get', `/v1/notes/${id}`))).toBe('404 not_found')
      expect(readCode(await send('patch', `/v1/notes/${id}`, { body: {}, headers }))).toBe('404 not_found')
      expect(readCode(await send('delete', `/v1/notes/${id}`, { headers }))).toBe('404 not_found')
    },
  )
})

describe('a foreign key', () => {
  afterEach(() => query('drop table if exists others cascade'))

  test('to a note is a 409 when the note is deleted, and the note stays', async () => {
    const created = await create()
    await query('create table others (note uuid references notes)')
    await query('insert into others values ($1)', [created.body.id])
    const headers = { 'if-match': '"1"' }
    expect(readCode(await send('delete', readLocation(created), { headers }))).toBe('409 still_referenced')
    expect((await send('get', readLocation(created))).body).toEqual(created.body)
    await query('delete from others')
    expect((await send('delete', readLocation(created), { headers })).status).toBe(204)
  })

  test('of a note is a 422 when a request refers to a resource that does not exist', async () => {
    const created = await create()
    await query(`create table others (title varchar(200) primary key);
      alter table notes add constraint known foreign key (title) references others not valid`)
    const body = { title: title() }
    expect(readCode(await create(body))).toBe('422 reference_not_found')
    const headers = { 'if-match': '"1"' }
    expect(readCode(await send('patch', readLocation(created), { body, headers }))).toBe('422 reference_not_found')
    expect(await countNotes(body.title)).toBe(0)
    await query('insert into others values ($1)', [body.title])
    expect((await create(body)).status).toBe(201)
  })
})

describe('an idempotency-key', () => {
  let key: string
  beforeEach(() => {
    key = `key-${title()}`.replace(' ', '-')
  })
  const idempotent = (body: object, to = notes.service.app) =>
    send('post', '/v1/notes', { body, headers: { 'idempotency-key': key }, to })

  test('on twenty simultaneous requests creates one note, and a later retry gets its response', async () => {
    const body = { title: title() }
    const responses = await Promise.all(Array.from({ length: 20 }, () => idempotent(body)))
    expect(await countNotes(body.title)).toBe(1)
    const [made] = responses.filter(({ status }) => status === 201)
    for (const response of responses) {
      if (response.status === 201) expect(response.body).toEqual(made?.body)
      else expect(readProblem(response)).toEqual({ code: '409 idempotency_conflict', retryAfter: '1' })
    }
    const again = await idempotent(body)
    expect([again.status, again.body]).toEqual([201, made?.body])
    expect(again.headers).toMatchObject({ etag: '"1"', location: readLocation(made!) })
  })

  test('is shared by all instances', async () => {
    const other = await startApp({ env: notes.service.env })
    await bothOk(other)
    const body = { title: title() }
    const made = await idempotent(body)
    expect((await idempotent(body, other)).body).toEqual(made.body)
    other.signal('SIGINT')
    await other.ended
  })

  test('cannot be reused with another body', async () => {
    expect((await idempotent({ title: title() })).status).toBe(201)
    expect(readCode(await idempotent({ title: title() }))).toBe('422 idempotency_key_reused')
  })

  test('can be used again after a request without effect', async () => {
    const taken = await create()
    const body = { title: taken.body.title }
    expect(readCode(await idempotent(body))).toBe('409 conflict')
    await send('delete', readLocation(taken), { headers: { 'if-match': '*' } })
    expect((await idempotent(body)).status).toBe(201)
  })

  test.each([
    ['spaces', 'a b'],
    ['too long', 'x'.repeat(256)],
    ['empty', ''],
  ])('with an invalid value (%s) is a 422', async (_name, wrong) => {
    const response = await create({ title: title() }, { 'idempotency-key': wrong })
    expect([readCode(response), response.body.errors]).toEqual([
      '422 invalid_input',
      [expect.objectContaining({ in: 'headers', field: 'idempotency-key' })],
    ])
  })
})

describe('when Redis', () => {
  test.each([
    ['is down', () => notes.service.redis.kill(), () => notes.service.redis.restart()],
    ['hangs', () => notes.service.redis.hang(), () => notes.service.redis.resume()],
  ])('%s, notes work, with idempotency-keys too', async (name, fail, repair) => {
    await bothOk(notes.service.app)
    await fail()
    const body = { title: title() }
    const headers = { 'idempotency-key': name.replace(' ', '-') }
    const created = await create(body, headers)
    expect(created.status).toBe(201)
    expect((await create(body, headers)).body).toEqual(created.body)
    const path = readLocation(created)
    expect((await send('patch', path, { body: { text: 'x' }, headers: { 'if-match': '"1"' } })).status).toBe(200)
    expect((await send('get', path)).body).toMatchObject({ version: 2, text: 'x' })
    await repair()
    await bothOk(notes.service.app)
  })
})

describe('when the database', () => {
  const UNAVAILABLE = { code: '503 database_unavailable', retryAfter: '1' }

  test('is down, every operation that needs it responds with 503, and all operations work again after its return', async () => {
    await bothOk(notes.service.app)
    const path = readLocation(await create())
    const body = { title: title() }
    const headers = { 'idempotency-key': 'database-gone' }
    await notes.service.database.kill()
    const answers = [
      await create(),
      await create(body, headers),
      await send('get', '/v1/notes'),
      await send('get', path),
      await send('patch', path, { body: {}, headers: { 'if-match': '*' } }),
      await send('delete', path, { headers: { 'if-match': '*' } }),
    ]
    expect(answers.map(readProblem)).toEqual(answers.map(() => UNAVAILABLE))
    await request(notes.service.app.url).get('/ping').expect(200)
    await notes.service.database.restart()
    await connectAdmin()
    await until(async () => (await create(body, headers)).status === 201)
    expect(await countNotes(body.title)).toBe(1)
    expect((await send('get', path)).status).toBe(200)
    expect(notes.service.app.lines.filter((line) => line['http.response.status_code'] === 500)).toEqual([])
  })

  test('hangs, a request becomes a 503 at its timeout', async () => {
    const short = await startApp({
      env: { ...notes.service.env, DATABASE_STATEMENT_TIMEOUT_MS: '200', DATABASE_CONNECT_TIMEOUT_MS: '300' },
    })
    await bothOk(short)
    await send('get', '/v1/notes', { to: short })
    notes.service.database.hang()
    const answers = await Promise.all([
      send('get', '/v1/notes', { to: short }),
      send('get', '/v1/notes', { to: short }),
    ])
    expect(answers.map(readProblem)).toEqual([UNAVAILABLE, UNAVAILABLE])
    notes.service.database.resume()
    await until(async () => (await send('get', '/v1/notes', { to: short })).status === 200)
    short.signal('SIGINT')
    await short.ended
  })

  test.each([
    ['ends the connection', (pid: number) => query('select pg_terminate_backend($1)', [pid])],
    ['cancels the statement', (pid: number) => query('select pg_cancel_backend($1)', [pid])],
  ])('%s during a change, the change has no effect and is a 503', async (_name, interrupt) => {
    await bothOk(notes.service.app)
    const created = await create()
    const holder = new pg.Client(notes.service.database.url)
    await holder.connect()
    await holder.query('begin')
    await holder.query('select from notes where id = $1 for update', [created.body.id])
    const change = send('patch', readLocation(created), { body: { text: 'x' }, headers: { 'if-match': '"1"' } })
    const waiting = () => query(`select pid from pg_stat_activity where wait_event_type = 'Lock'`)
    await until(async () => (await waiting()).rowCount === 1)
    await interrupt((await waiting()).rows[0].pid)
    expect(readProblem(await change)).toEqual(UNAVAILABLE)
    await holder.end()
    expect((await send('get', readLocation(created))).body).toEqual(created.body)
    expect((await send('patch', readLocation(created), { body: {}, headers: { 'if-match': '"1"' } })).status).toBe(200)
  })
})
