import { expect, test } from '@jest/globals'
import { createRequests } from './requests.ts'
import type { FinishedSpan } from './span.ts'

function start() {
  const clock = { time: 1e12 }
  const requests = createRequests(() => clock.time)
  let count = 0
  function end(requestId: string | undefined, fields: Partial<FinishedSpan> = {}, status = 200): void {
    const ids = { traceId: `trace of ${requestId}`, spanId: `span ${count++}`, requestId }
    const times = { startedAt: clock.time - (fields.durationMs ?? 1), durationMs: 1 }
    const attributes = { 'url.path': '/v1/items', 'http.response.status_code': status }
    requests.onSpan({ ...ids, ...times, name: 'GET /v1/items', kind: 'server', attributes, ...fields })
  }
  const log = (requestId: string, message: string) =>
    requests.onLine(`${JSON.stringify({ 'log.level': 'info', 'http.request.id': requestId, message })}\n`)
  return { clock, requests, end, log }
}
const ids = (list: readonly { readonly requestId: string }[]) => list.map(({ requestId }) => requestId)

test('a request is found by its id and by its trace, with its spans and lines in order', () => {
  const { requests, end, log } = start()
  log('a', 'first')
  log('b', 'of another request')
  end('a', { kind: 'client', name: 'SELECT items', attributes: { 'db.system.name': 'postgresql' }, durationMs: 2 })
  log('a', 'second')
  end('a', { durationMs: 3 })
  const [entry, ...others] = requests.find('a')
  expect(others).toEqual([])
  expect(entry?.requests).toMatchObject([{ requestId: 'a', path: '/v1/items', status: 200, isFailed: false }])
  expect(entry?.requests[0]?.cause).toBe('database SELECT items 2 ms of 3 ms')
  expect(entry?.spans.map(({ name }) => name)).toEqual(['SELECT items', 'GET /v1/items'])
  expect(entry?.lines.map((line) => JSON.parse(line).message)).toEqual(['first', 'second'])
  expect(requests.find('trace of a')).toEqual([entry])
  // The other request has not ended.
  expect(requests.find('b')).toEqual([])
})

test('lines and spans that follow the end of a request belong to it', () => {
  const { requests, end, log } = start()
  end('a')
  log('a', 'late')
  end('a', { kind: 'internal', name: 'send mail' })
  expect(requests.find('a')).toMatchObject([
    { lines: [expect.stringContaining('late')], spans: [{}, { name: 'send mail' }] },
  ])
})

test('a line that contains the name of the field only in a text belongs to no request', () => {
  const { requests, end } = start()
  const message = 'forged "http.request.id":"a" '
  requests.onLine(JSON.stringify({ message }))
  requests.onLine(JSON.stringify({ message, 'http.request.id': 'b' }))
  end('a')
  end('b')
  expect(requests.find('a')[0]?.lines).toEqual([])
  expect(requests.find('b')[0]?.lines).toHaveLength(1)
})

test('all requests with the same request id are in one entry', () => {
  const { requests, end } = start()
  end('a')
  end('a', {}, 503)
  expect(requests.find('a')).toMatchObject([{ requests: [{ status: 200 }, { status: 503 }] }])
  expect(ids(requests.list(9).latest)).toEqual(['a', 'a'])
})

test('requests with one id do not get the causes and errors of each other', () => {
  const { requests, end } = start()
  const database = { kind: 'client', attributes: { 'db.system.name': 'postgresql' } } as const
  end('a', { ...database, name: 'SELECT items', error: '57014', traceId: 'first' })
  end('a', { traceId: 'first' }, 503)
  end('a', { traceId: 'second' }, 503)
  expect(requests.find('first')[0]?.requests).toMatchObject([
    { error: 'database SELECT items: 57014', cause: 'database SELECT items 1 ms of 1 ms' },
    { error: undefined, cause: 'code without a span 1 ms of 1 ms' },
  ])
})

test('a client that always sends one request id occupies the board no more than other clients', () => {
  const { requests, end } = start()
  for (let count = 0; count < 1_000; count++) end('a')
  // 64 requests fill the entry, and 20 further ones in each second are kept.
  expect(requests.find('a')[0]?.requests.at(-1)?.spanId).toBe('span 83')
})

test('a request with an error or with a status of 500 or above has failed, and names the failed work', () => {
  const { requests, end } = start()
  end('ok')
  end('not found', {}, 404)
  end('failed', {
    kind: 'client',
    name: 'SELECT items',
    error: '57014',
    attributes: { 'db.system.name': 'postgresql' },
  })
  end('failed', {}, 503)
  end('broken', { error: 'ECONNRESET' })
  const { failed } = requests.list(9)
  expect(ids(failed).sort()).toEqual(['broken', 'failed'])
  expect(failed.map(({ error }) => error).sort()).toEqual(['ECONNRESET', 'database SELECT items: 57014'])
})

test('the slowest requests survive any number of faster requests for 15 minutes, and each route has five places', () => {
  const { clock, requests, end } = start()
  for (let each = 0; each < 7; each++) end(`slow ${each}`, { durationMs: 1_000 + each })
  end('other route', { durationMs: 100, name: 'GET /v1/other' })
  for (let each = 0; each < 20_000; each++) {
    clock.time += 10
    end(`fast ${each}`, { durationMs: 2 + (each % 5) })
  }
  const { slowest } = requests.list(6)
  expect(ids(slowest)).toEqual(['slow 6', 'slow 5', 'slow 4', 'slow 3', 'slow 2', 'other route'])
  clock.time += 15 * 60_000
  end('later')
  expect(ids(requests.list(6).slowest)).toEqual(['later'])
  // The slowest of the next requests are kept, although they are faster than the earlier slow requests.
  for (let each = 0; each < 2_000; each++) end(`next ${each}`, { durationMs: each === 0 ? 2 : 1 })
  expect(ids(requests.list(6).slowest)[0]).toBe('next 0')
})

test('under load a limited number of failed and of fast requests is kept, and the latest are listed first', () => {
  const { clock, requests, end } = start()
  for (let second = 0; second < 60; second++) {
    clock.time += 1_000
    for (let each = 0; each < 100; each++) end(`fast ${second}-${each}`, { startedAt: clock.time + each / 1e3 })
    for (let each = 0; each < 100; each++) end(`failed ${second}-${each}`, {}, 500)
  }
  const { failed, latest } = requests.list(1_000)
  expect(failed[0]?.requestId).toMatch(/^failed 59-/)
  expect(latest[0]?.requestId).toMatch(/^fast 59-/)
  expect(failed.length).toBeGreaterThan(100)
  expect(ids(failed).filter((id) => id.startsWith('failed 59-'))).toHaveLength(20)
})

// With some of these lengths, the requests in progress almost fill their memory, and the end of the oldest exceeds it.
test.each([400, 425, 450, 475, 500])('the oldest request is kept when it ends: lines of %i characters', (length) => {
  const { requests, end } = start()
  for (let each = 1_000; each < 2_000; each++) requests.onLine(`{"http.request.id":"${each}"`.padEnd(length))
  const inProgress = Math.floor(400e3 / (1_050 + 2 * length))
  end(String(2_000 - inProgress), {}, 500)
  expect(requests.find(String(2_000 - inProgress))).toMatchObject([{ lines: [expect.any(String)], spans: [{}] }])
})

test('spans and lines that do not fit are counted', () => {
  const { requests, end, log } = start()
  for (let each = 0; each < 70; each++) log('a', `line ${each}`)
  log('a', 'x'.repeat(100_000))
  end('a')
  expect(requests.find('a')).toMatchObject([{ omitted: 7, lines: { length: 64 } }])
})

test('work outside requests is ignored', () => {
  const { requests, end } = start()
  end(undefined)
  end('')
  end('x'.repeat(129))
  requests.onLine('{"http.request.id":""}\n')
  requests.onLine('not JSON "http.request.id":"a\n')
  expect(requests.list(9).latest).toEqual([])
})
