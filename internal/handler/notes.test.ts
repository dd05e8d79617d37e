import { createServer } from 'node:http'
import { afterAll, beforeEach, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { registerRoute } from '#pkg/operation/index.ts'
import { CodedError, problemHandler } from '#pkg/problem/index.ts'
import type { Idempotency, Match } from '#pkg/resource/index.ts'
import { PROBLEMS } from '../problems.ts'
import type { Notes } from '../service/notes.ts'
import { exampleFields as fields, notes } from './notes.ts'

const id = '0198c0de-5a1b-4f6e-9d3c-2b7a1e4f8c90'
// An item of a list may have more fields than a resource.
type Item = Awaited<ReturnType<Notes['list']>>['items'][number]
const stored = {
  id,
  version: 3,
  createdAt: '2026-11-22T20:46:02.125Z',
  updatedAt: '2026-11-22T20:46:02.125Z',
  ...fields,
} as Item

const received: unknown[] = []
function requireMatch(match: Match): void {
  if (match !== 'any' && !match.includes(stored.version)) throw new CodedError('precondition_failed')
}
const service: Notes = {
  create: async (fields) => ({ ...stored, ...fields, version: 1 }),
  get: async () => stored,
  list: async (page) => {
    received.push(page)
    return { items: [stored], next: null }
  },
  update: async (_id, changes, match) => {
    requireMatch(match)
    received.push(changes)
    return { ...stored, version: 4 }
  },
  remove: async (_id, match) => requireMatch(match),
}
const idempotency: Idempotency<Notes> = {
  once(key, run) {
    received.push(key)
    return run(service)
  },
}
const app = express()
app.use((req, _res, next) => {
  const subject = req.get('x-subject')
  if (subject !== undefined) req.auth = { subject, expiresAt: 0, scheme: 'bearer' }
  next()
})
for (const each of notes({ service, idempotency })) {
  registerRoute(app, each, { readBody: () => express.json() })
}
app.use(problemHandler({ table: PROBLEMS }))
const server = createServer(app).listen(0)
const client = request(server)
beforeEach(() => {
  received.length = 0
})
afterAll(() => {
  server.close()
})

test('a new note has its path and version in the headers', async () => {
  const { headers, body } = await client.post('/v1/notes').send(fields).expect(201)
  expect(headers).toMatchObject({ location: `/v1/notes/${id}`, etag: '"1"', 'cache-control': 'private, no-cache' })
  expect(body).toEqual({ ...stored, version: 1 })
})

test('an update changes only the fields of the request', async () => {
  const changes = { title: 'The title' }
  const { headers } = await client.patch(`/v1/notes/${id}`).set('if-match', '"3"').send(changes).expect(200)
  expect(headers['etag']).toBe('"4"')
  await client.patch(`/v1/notes/${id}`).set('if-match', '"3"').send({}).expect(200)
  expect(received).toEqual([changes, {}])
})

test('a change requires the current version in if-match', async () => {
  for (const send of [client.patch(`/v1/notes/${id}`).send({}), client.delete(`/v1/notes/${id}`)]) {
    await send.set('if-match', '"2"').expect(412)
  }
  await client.delete(`/v1/notes/${id}`).expect(428)
  await client.delete(`/v1/notes/${id}`).set('if-match', '"3"').expect(204)
})

test('the query selects the page of the list', async () => {
  await client.get('/v1/notes?limit=7').expect(200, { items: [stored], next: null })
  await client.get('/v1/notes?sort=createdAt').expect(200)
  expect(received).toEqual([
    { limit: 7, sort: '-createdAt', filters: {} },
    { limit: 20, sort: 'createdAt', filters: {} },
  ])
})

test('a client that has the current version gets 304 without a body', async () => {
  await client.get(`/v1/notes/${id}`).set('if-none-match', '"3"').expect(304, '')
})

test('an idempotency key belongs to the body of the request, without the defaults of this version', async () => {
  const { text: _text, ...required } = fields
  await client.post('/v1/notes').set('idempotency-key', 'k').send(required).expect(201)
  expect(received).toEqual([{ scope: 'POST /v1/notes ', key: 'k', body: required }])
})

test('each caller has its own idempotency keys for a new note', async () => {
  await client.post('/v1/notes').set('idempotency-key', 'k').send(fields).expect(201)
  await client.post('/v1/notes').set('x-subject', 'user-1').send(fields).expect(201)
  expect(received).toEqual([
    { scope: 'POST /v1/notes ', key: 'k', body: fields },
    { scope: 'POST /v1/notes user-1', key: undefined, body: fields },
  ])
})
