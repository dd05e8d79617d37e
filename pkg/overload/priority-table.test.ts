import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import type { Priority } from './priority.ts'
import { createPriorityTable, type PrioritizedRoute } from './priority-table.ts'

const of = (priority?: Priority) => (priority === undefined ? {} : { priority })

const ROUTES: readonly PrioritizedRoute[] = [
  { path: '/', get: of('core') },
  { path: '/ping', get: of() },
  { path: '/v1/orders', get: of('background'), post: of('core') },
  { path: '/v1/orders/latest', get: of('normal') },
  { path: '/v1/orders/:id', get: of('core'), patch: of('normal') },
  { path: '/v1/:kind/export', get: of('background') },
  { path: '/v1/orders/:id/lines/:line', get: of('core') },
  { path: '/v1/orders/late', get: of('background') },
  { path: '/files/*path', get: of('core') },
  { path: '/docs/:file', get: of('background') },
]

const findPriority = createPriorityTable(ROUTES)

describe('the priority of a request', () => {
  test.each<[string, string, Priority]>([
    ['GET', '/ping', 'normal'],
    ['GET', '/ping/', 'normal'],
    ['GET', '/ping?a=/v1/orders', 'normal'],
    ['HEAD', '/v1/orders/1', 'core'],
    ['POST', '/v1/orders', 'core'],
    ['GET', '/v1/orders', 'background'],
    ['GET', '/v1/orders/latest', 'normal'],
    ['GET', '/v1/orders/abc-1?expand=lines', 'core'],
    ['PATCH', '/v1/orders/1', 'normal'],
    ['GET', '/v1/orders/1/lines/2', 'core'],
    ['GET', '/v1/invoices/export', 'background'],
    ['GET', '/files/a/b.txt', 'core'],
    ['OPTIONS', '/v1/orders', 'core'],
    ['OPTIONS', '/ping', 'normal'],
    ['GET', '/', 'core'],
    ['GET', '/?page=2', 'core'],
  ])('%s %s: %s', (method, url, priority) => {
    expect(findPriority(method, url)).toBe(priority)
  })

  test('comes from the first route that matches, as in Express', () => {
    expect(findPriority('GET', '/v1/orders/late')).toBe('core')
    expect(findPriority('GET', '/v1/orders/export')).toBe('core')
  })

  test.each([
    ['GET', '/unknown'],
    ['GET', '/Ping'],
    ['GET', '/v1/orders/1/lines'],
    ['GET', '/v1/orders//lines/2'],
    ['DELETE', '/v1/orders/1'],
    ['PROPFIND', '/ping'],
    ['OPTIONS', '*'],
    ['GET', ''],
  ])('is background for an operation that does not exist: %s %s', (method, url) => {
    expect(findPriority(method, url)).toBe('background')
  })
})

test('the table finds the route that Express finds', async () => {
  const app = express()
  app.enable('case sensitive routing')
  for (const { path, get } of ROUTES) {
    if (get) app.get(path, (_req, res) => void res.send(get.priority ?? 'normal'))
  }
  app.use((_req, res) => void res.send('background'))
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const segments = ['', 'v1', 'orders', 'latest', 'late', 'export', 'lines', 'ping', 'files', 'docs', '7']
  const paths = segments.flatMap((a) =>
    segments.flatMap((b) => segments.map((c) => `/${[a, b, c].join('/')}`.replace(/\/{2,}/g, '/'))),
  )
  // One connection carries all requests, because a connection for each takes long on a busy machine.
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const different = [...new Set(paths)]
  socket.end(different.map((path) => `GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`).join(''))
  const expected = [...(await text(socket)).matchAll(/\r\n\r\n(background|normal|core)/g)].map(
    ([, priority]) => priority,
  )
  server.close()
  expect(different.map((path) => `${path} ${findPriority('GET', path)}`)).toEqual(
    different.map((path, index) => `${path} ${expected[index]}`),
  )
})
