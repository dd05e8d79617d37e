import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import pg from 'pg'
import request from 'supertest'
import { killApps, type RunningApp, runApp, startApp } from '../support/app.ts'
import { type DatabaseProxy, startDatabaseProxy } from '../support/database-proxy.ts'
import { readCode } from '../support/described.ts'
import { type TestService, testPostgres } from '../support/services.ts'

/*
 * These tests check the statements of a create, and commits without a response. The artifact reaches the database
 * through a proxy.
 */

let database: TestService
let proxy: DatabaseProxy
let app: RunningApp
let admin: pg.Client
const statements: string[] = []

beforeAll(async () => {
  database = await testPostgres()
  proxy = await startDatabaseProxy({ target: database, onStatement: (sql) => void statements.push(sql) })
  expect(await runApp(['migrate'], { env: { DATABASE_URL: database.url } })).toMatchObject({ code: 0 })
  admin = new pg.Client(database.url)
  await admin.connect()
})
afterAll(async () => {
  await admin.end()
  await proxy.stop()
  await database.stop()
})
beforeEach(async () => {
  app = await startApp({ env: { DATABASE_URL: proxy.url, HEALTH_INTERVAL_MS: '60000' } })
  await app.line({ message: 'check ok', 'service.target.name': 'database' })
})
afterEach(killApps)

let titles = 0
const create = (body: object, key?: string) => {
  const headers = key === undefined ? {} : { 'idempotency-key': key }
  return request(app.url).post('/v1/notes').set(headers).send(body)
}
const newBody = () => ({ title: `Title ${++titles}` })

async function countNotes(title: string): Promise<number> {
  return (await admin.query('select from notes where title = $1', [title])).rowCount ?? 0
}

/** Returns the kinds of the statements that a request executes, without those that set up a connection. */
async function record(request: PromiseLike<unknown>): Promise<string[]> {
  statements.length = 0
  await request
  return statements.filter((sql) => !sql.startsWith('select set_config')).map((sql) => sql.trim().replace(/\s.*/s, ''))
}

test('a create without a key is one statement, and with a key one transaction', async () => {
  const body = newBody()
  expect(await record(create(newBody()).expect(201))).toEqual(['insert'])
  const createWithKey = () => create(body, 'statements').expect(201)
  expect(await record(createWithKey())).toEqual(['begin', 'with', 'insert', 'update', 'commit'])
  expect(await record(createWithKey())).toEqual(['begin', 'with', 'select', 'commit'])
})

test('a change with if-match is one statement, and a second one finds the reason of a refusal', async () => {
  const { headers } = await create(newBody()).expect(201)
  const path = headers['location'] ?? ''
  const patch = (ifMatch: string) => request(app.url).patch(path).set('if-match', ifMatch).send({ text: 'x' })
  const remove = (ifMatch: string) => request(app.url).delete(path).set('if-match', ifMatch)
  expect(await record(patch('"1"').expect(200))).toEqual(['update'])
  expect(await record(patch('"1"').expect(412))).toEqual(['update', 'select'])
  expect(await record(remove('"1"').expect(412))).toEqual(['delete', 'select'])
  expect(await record(remove('*').expect(204))).toEqual(['delete'])
  expect(await record(remove('*').expect(404))).toEqual(['delete', 'select'])
})

test('a commit whose response is lost is a 503, and a retry gets the note that was created', async () => {
  const body = newBody()
  const cut = proxy.cutNext('after-write')
  const lost = await create(body, 'lost-response')
  await cut
  expect([readCode(lost), lost.headers['retry-after']]).toEqual(['503 database_unavailable', '1'])
  expect(await countNotes(body.title)).toBe(1)
  const retried = await create(body, 'lost-response').expect(201)
  expect(retried.body).toMatchObject({ ...body, version: 1 })
  expect(retried.headers['location']).toBe(`/v1/notes/${retried.body.id}`)
  expect(await countNotes(body.title)).toBe(1)
})

test('a commit that does not arrive is a 503, and a retry creates the note', async () => {
  const body = newBody()
  const cut = proxy.cutNext('before-commit')
  expect(readCode(await create(body, 'lost-commit'))).toBe('503 database_unavailable')
  await cut
  expect(await countNotes(body.title)).toBe(0)
  await create(body, 'lost-commit').expect(201)
  expect(await countNotes(body.title)).toBe(1)
})
