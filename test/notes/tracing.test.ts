import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals'
import { killApps, type RunningApp, runApp, startApp } from '../support/app.ts'
import { type ReceivedSpan, type Receiver, startReceiver } from '../support/otlp-receiver.ts'
import { type TestService, testPostgres } from '../support/services.ts'

let database: TestService
let receiver: Receiver
let app: RunningApp
beforeAll(async () => {
  ;[database, receiver] = await Promise.all([testPostgres(), startReceiver()])
  const env = {
    DATABASE_URL: database.url,
    DATABASE_POOL_MAX: '1',
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_BSP_SCHEDULE_DELAY: '20',
  }
  expect(await runApp(['migrate'], { env })).toMatchObject({ code: 0 })
  app = await startApp({ env })
}, 60_000)
afterAll(async () => {
  await killApps()
  await Promise.all([receiver.stop(), database.stop()])
})
afterEach(() => {
  receiver.spans.length = 0
})

let number = 0

/** Sends a request, and returns its span and its other spans in the order of their start. */
async function send(method: string, path: string, headers: Record<string, string> = {}, body?: unknown) {
  const traceId = String(++number).padStart(32, '1')
  const response = await fetch(app.url + path, {
    method,
    headers: { 'content-type': 'application/json', traceparent: `00-${traceId}-${'2'.repeat(16)}-01`, ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const server = await receiver.span((span) => span.kind === 2 && span.traceId === traceId)
  const spans = receiver.spans.filter((span) => span !== server && span.traceId === traceId)
  return {
    response,
    server,
    spans: spans.sort((one, other) => Number(one.startTimeUnixNano - other.startTimeUnixNano)),
    json: response.status === 204 ? undefined : await response.json(),
  }
}

const isWithin = (inner: ReceivedSpan, outer: ReceivedSpan) =>
  inner.startTimeUnixNano >= outer.startTimeUnixNano && inner.endTimeUnixNano <= outer.endTimeUnixNano

test('a statement is a child of its request, without its values', async () => {
  const { json } = await send('POST', '/v1/notes', {}, { title: 'hunter2', text: 'hunter2' })
  const { server, spans } = await send('GET', `/v1/notes/${(json as { id: string }).id}`)
  expect(server).toMatchObject({ name: 'GET /v1/notes/{id}', attributes: { 'http.route': '/v1/notes/:id' } })
  expect(spans).toMatchObject([{ name: 'SELECT notes', kind: 3, parentSpanId: server.spanId, status: { code: 0 } }])
  expect(spans[0]?.attributes).toEqual({
    'db.system.name': 'postgresql',
    'db.query.summary': 'SELECT notes',
    'db.operation.name': 'SELECT',
    'db.collection.name': 'notes',
  })
  for (const span of spans) expect(isWithin(span, server)).toBe(true)
  const all = JSON.stringify(receiver.spans, (_name, value) => (typeof value === 'bigint' ? String(value) : value))
  expect(all).not.toContain('hunter2')
})

test('the statements of a transaction are children of its span, with the commit at the end', async () => {
  const { response, server, spans } = await send('POST', '/v1/notes', { 'idempotency-key': 'k-1' }, { title: 'one' })
  expect(response.status).toBe(201)
  const [transaction, ...children] = spans
  expect(transaction).toMatchObject({ name: 'transaction', parentSpanId: server.spanId })
  const names = children.map(({ name }) => name)
  expect(names).toEqual(['INSERT idempotency_keys', 'INSERT notes', 'UPDATE idempotency_keys', 'COMMIT'])
  for (const child of children) {
    expect(child.parentSpanId).toBe(transaction?.spanId)
    expect(isWithin(child, transaction as ReceivedSpan)).toBe(true)
  }
})

test('a transaction that fails ends with a rollback', async () => {
  const { response, spans } = await send('POST', '/v1/notes', { 'idempotency-key': 'k-1' }, { title: 'two' })
  expect(response.status).toBe(422)
  const names = spans.map(({ name }) => name)
  expect([names[0], names.at(-1)]).toEqual(['transaction', 'ROLLBACK'])
})
