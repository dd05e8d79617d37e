import type { Server } from 'node:http'
import { createServer } from 'node:http'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import express, { type RequestHandler } from 'express'
import request from 'supertest'
import { problemHandler } from './handler.ts'
import { HTTP_PROBLEMS } from './table.ts'

let seen: Error | undefined
let server: Server

function serve(handler: RequestHandler) {
  const app = express()
  app.use((req, res, next) => {
    req.id = 'r-1'
    res.on('close', () => {
      seen = res.err
    })
    next()
  })
  app.get('/', handler)
  app.use(
    problemHandler({
      table: { ...HTTP_PROBLEMS, note_not_found: { status: 404, detail: 'The note does not exist.' } },
    }),
  )
  server = createServer(app).listen(0)
  return request(server)
}

beforeEach(() => {
  seen = undefined
})
afterEach(() => {
  server.close()
})

test('the table of the service maps its own codes to responses', async () => {
  const { body } = await serve(() => {
    throw Object.assign(new Error('note 42 of user 7'), { code: 'note_not_found' })
  }).get('/')
  expect(body).toMatchObject({
    status: 404,
    title: 'Not Found',
    detail: 'The note does not exist.',
    code: 'note_not_found',
  })
})

test('invalid input is a 422 with one entry for each field', async () => {
  const errors = [{ field: 'title', message: 'is too long' }]
  const { body } = await serve(() => {
    throw Object.assign(new Error('invalid'), { code: 'invalid_input', errors })
  }).get('/')
  expect(body).toMatchObject({ status: 422, errors })
})

test.each([
  [{ v: 1n }],
  [
    (() => {
      const loop: { self?: unknown } = {}
      loop.self = loop
      return loop
    })(),
  ],
])('errors that cannot be rendered as JSON are omitted', async (errors) => {
  const { body } = await serve(() => {
    throw Object.assign(new Error('invalid'), { code: 'invalid_input', errors })
  })
    .get('/')
    .expect(422)
  expect(body).toMatchObject({ status: 422, code: 'invalid_input' })
})

const SECRET = 'select * from users at db.internal'

test.each([
  ['an error', () => Promise.reject(new Error(SECRET))],
  ['a string', () => Promise.reject(SECRET)],
  [
    'an AggregateError of a host with several addresses',
    () => Promise.any([Promise.reject(Object.assign(new Error(), { address: SECRET }))]),
  ],
  ['undefined', () => Promise.reject()],
  ['an object without a prototype', () => Promise.reject(Object.create(null))],
  [
    'a driver error with a status',
    () => Promise.reject(Object.assign(new Error(SECRET), { status: 404, expose: true, code: '42P01' })),
  ],
  [
    'a code with the name of a property of every object',
    () => Promise.reject(Object.assign(new Error(SECRET), { code: 'constructor', type: 'toString' })),
  ],
])('%s is a 500 without details, and its cause is logged', async (_name, handler) => {
  const response = await serve(handler as RequestHandler)
    .get('/')
    .expect(500)
  expect(response.text).not.toContain('users')
  expect(response.body).toMatchObject({ status: 500, code: 'internal', requestId: 'r-1' })
  expect(Error.isError(seen)).toBe(true)
})

test('an error after the first byte ends the connection, because the status has been sent', async () => {
  const client = serve((_req, res) => {
    res.write('half')
    throw new Error('too late')
  })
  await expect(client.get('/')).rejects.toThrow(/aborted|hang up|ECONNRESET/)
})
