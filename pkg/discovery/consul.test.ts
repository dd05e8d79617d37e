import { expect, test } from '@jest/globals'
import { createConsul } from './consul.ts'
import { GARBAGE, useScriptedServer } from './scripted-server.ts'

const registry = useScriptedServer()
const start = (password?: string, timeoutMs?: number) =>
  registry.observe((client) => createConsul({ client, password, pollMs: 1 }).watch('orders'), timeoutMs)

const entry = (id: string, address: string, status = 'passing', extra: object = {}) => ({
  Node: { Address: '10.0.0.9' },
  Service: { ID: id, Address: address, Port: 8080, ...extra },
  Checks: [{ Status: 'passing' }, { Status: status }],
})

test('only passing instances are listed, with the address of the node when the service has none', async () => {
  let target = ''
  let token: unknown
  registry.respondWith((req, res) => {
    target = req.url ?? ''
    token = req.headers['x-consul-token']
    const weighted = entry('b', '', 'passing', { Weights: { Passing: 5, Warning: 1 } })
    const body = [entry('a', '10.0.0.1'), weighted, entry('c', '10.0.0.3', 'warning'), entry('d', '', 'critical')]
    res.writeHead(200, { 'x-consul-index': '7' }).end(JSON.stringify(body))
  })
  await expect(start('t0ken').next()).resolves.toEqual([
    { id: 'a', host: '10.0.0.1', port: 8080 },
    { id: 'b', host: '10.0.0.9', port: 8080, weight: 5 },
  ])
  expect(target).toMatch(/^\/v1\/health\/service\/orders\?passing=true/)
  expect(token).toBe('t0ken')
})

test('a request waits for a change of the index, and the next request has the new index', async () => {
  const queries: string[] = []
  const waits = Promise.withResolvers<void>()
  registry.respondWith((req, res) => {
    queries.push(new URL(req.url ?? '', 'http://x').search)
    if (queries.length === 3) return waits.resolve()
    return res.writeHead(200, { 'x-consul-index': String(queries.length * 10) }).end('[]')
  })
  start()
  await waits.promise
  expect(queries).toEqual([
    '?passing=true',
    '?passing=true&index=10&wait=10000ms',
    '?passing=true&index=20&wait=10000ms',
  ])
})

test('an index that goes backwards is an error, and the watch starts again without an index', async () => {
  const queries: string[] = []
  const again = Promise.withResolvers<void>()
  registry.respondWith((req, res) => {
    queries.push(new URL(req.url ?? '', 'http://x').search)
    if (queries.length === 3) again.resolve()
    const index = queries.length === 1 ? 10 : 5
    return res.writeHead(200, { 'x-consul-index': String(index) }).end('[]')
  })
  const observed = start()
  await again.promise
  expect(queries[2]).toBe('?passing=true')
  expect(observed.outcomes[1]).toMatchObject({ message: expect.stringContaining('went backwards') })
})

test('an index of 0 does not become a loop of requests without a wait', async () => {
  const queries: string[] = []
  const again = Promise.withResolvers<void>()
  registry.respondWith((req, res) => {
    queries.push(new URL(req.url ?? '', 'http://x').search)
    if (queries.length === 2) return again.resolve()
    return res.writeHead(200, { 'x-consul-index': '0' }).end('[]')
  })
  start()
  await again.promise
  expect(queries[1]).toBe('?passing=true&index=1&wait=10000ms')
})

test.each(GARBAGE)('garbage is an error, never an empty list: %j', async (body) => {
  registry.respondWith((_req, res) => res.writeHead(200, { 'x-consul-index': '7' }).end(body))
  await expect(start().next()).resolves.toBeInstanceOf(Error)
})

test('failures are errors, and the watch continues after them', async () => {
  registry.respondJson('No cluster leader', 500)
  const observed = start('t0ken', 500)
  await observed.next((each) => String(each).includes('status 500'))
  registry.respondJson([], 200)
  await expect(observed.next((each) => String(each).includes('Index'))).resolves.toBeInstanceOf(Error)
  registry.respondWith((_req, res) => res.destroy())
  await expect(observed.next((each) => !String(each).includes('Index'))).resolves.toBeInstanceOf(Error)
  registry.respondWith(() => undefined)
  const isTimeout = (each: unknown) => (each as Error).name === 'TimeoutError'
  await expect(observed.next(isTimeout)).resolves.toBeInstanceOf(Error)
  registry.respondJson([entry('a', '10.0.0.1')], 200, { 'x-consul-index': '1' })
  await expect(observed.next(Array.isArray)).resolves.toHaveLength(1)
})

test('malformed instances keep their place, so that the bridge can report them', async () => {
  registry.respondJson([null, 7, {}, entry('a', '10.0.0.1;\n')], 200, { 'x-consul-index': '1' })
  await expect(start().next()).resolves.toMatchObject([{ id: '', host: '' }, {}, {}, { host: '10.0.0.1;\n' }])
})
