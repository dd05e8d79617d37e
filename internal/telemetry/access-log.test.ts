import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, afterEach, expect, jest, test } from '@jest/globals'
import express, { type ErrorRequestHandler } from 'express'
import request from 'supertest'
import { accessLog } from '#pkg/http/access-log.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { problemHandler } from '#pkg/problem/index.ts'
import { collectLines, findLineProblems, type Line } from '../../test/support/log-fields.ts'

const { lines, ...options } = collectLines()
const app = express()
app.set('trust proxy', true)
app.use((req, _res, next) => {
  req.id = 'r-1'
  next()
})
app.use(accessLog(createLogger(options)))
const server = createServer(app).listen(0)
const client = request(server)

app.get('/ok', (_req, res) => void res.end('ok'))
app.get('/bug', () => {
  throw Object.assign(new TypeError('a bug'), { code: 'E_BUG' })
})
app.get('/busy', (_req, res) => void res.status(503).end())
app.use(((error, _req, res, _next) => {
  res.err = error
  res.status(500).end()
}) satisfies ErrorRequestHandler)

afterEach(() => {
  jest.restoreAllMocks()
  expect(lines.splice(0).flatMap(findLineProblems)).toEqual([])
})
afterAll(() => void server.close())

test('a request that succeeds has no outcome', async () => {
  await client.get('/ok').expect(200)
  expect(lines).toEqual([expect.not.objectContaining({ 'event.outcome': expect.anything() })])
})

test('a server error has the outcome failure, and the fields of its cause', async () => {
  await client.get('/bug').expect(500)
  expect(lines).toEqual([
    expect.objectContaining({
      'log.level': 'error',
      message: 'request failed',
      'event.outcome': 'failure',
      'error.type': 'TypeError',
      'error.message': 'a bug',
      'error.code': 'E_BUG',
      'error.stack_trace': expect.stringContaining('access-log.test.ts'),
    }),
  ])
})

test('the line of a thrown value that is not an error has the value without its secrets', async () => {
  app.get('/value', () => {
    throw { status: 3, token: 'hunter2' }
  })
  app.use('/value', problemHandler())
  await client.get('/value').expect(500)
  expect(lines).toMatchObject([
    { message: 'request failed', 'error.stack_trace': expect.stringContaining('"status":3') },
  ])
  expect(JSON.stringify(lines)).not.toContain('hunter2')
})

test('a server error without a cause has no error fields', async () => {
  await client.get('/busy').expect(503)
  expect(lines).toMatchObject([{ message: 'request failed', 'http.response.status_code': 503 }])
  expect(Object.keys(lines[0] ?? {}).filter((name) => name.startsWith('error.'))).toEqual([])
})

test('a request that is aborted before its response has the outcome unknown and no status', async () => {
  const arrived = new Promise<void>((resolve) => {
    app.get('/slow', (_req, res) => {
      res.once('close', resolve)
      socket.destroy()
    })
  })
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
  await arrived
  expect(lines).toMatchObject([{ 'log.level': 'info', message: 'request aborted', 'event.outcome': 'unknown' }])
  expect(lines[0]).not.toHaveProperty(['http.response.status_code'])
})

test('the duration is in nanoseconds, and independent of the wall clock', async () => {
  let now = 10
  jest.spyOn(performance, 'now').mockImplementation(() => now)
  app.get('/timed', (_req, res) => {
    now = 12.5
    jest.spyOn(Date, 'now').mockReturnValue(0)
    res.end()
  })
  await client.get('/timed').expect(200)
  expect(lines).toMatchObject([{ 'event.duration': 2_500_000 }])
})

test.each<[string, object]>([
  ['2001:db8::1', { 'client.address': '2001:db8::1', 'client.ip': '2001:db8::1' }],
  ['unknown', { 'client.address': 'unknown' }],
  ['x'.repeat(8_000), { 'client.address': 'x'.repeat(64) }],
])('the client %s has these addresses: %j', async (given, expected) => {
  await client.get('/ok').set('x-forwarded-for', given).expect(200)
  const [line = {}] = lines as readonly Line[]
  expect(Object.fromEntries(Object.entries(line).filter(([name]) => name.startsWith('client.')))).toEqual(expected)
})
