import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { killApps, startApp } from '../../test/support/app.ts'
import { until } from '../../test/support/services.ts'
import {
  type Document,
  documentId,
  indexDocuments,
  installTemplate,
  STREAM,
  search,
  streamOf,
} from './harness/index-logs.ts'
import { listNames, logRequests, writingTo } from './harness/shipped.ts'
import { type Kafka, startKafka } from './harness/start-kafka.ts'
import { type Rsyslog, startRsyslog } from './harness/start-rsyslog.ts'
import { type SearchNode, startSearchNode } from './harness/start-search-node.ts'

// The first run downloads the broker and the search node.
jest.setTimeout(600_000)

const TRACE = 'c0ffee00c0ffee00c0ffee00c0ffee00'
const REQUEST = 'request-of-the-trace'

let kafka: Kafka
let node: SearchNode
let rsyslog: Rsyslog
/** The lines of a real run of the service, as they left Kafka. */
let documents: readonly Document[]

beforeAll(async () => {
  ;[kafka, node] = await Promise.all([startKafka(), startSearchNode()])
  await installTemplate(node)
  rsyslog = await startRsyslog({ broker: kafka.address, topic: 'logs' })
  // No process listens on port 1, so the checks fail.
  const app = await startApp({ ...writingTo(rsyslog.file), env: { DATABASE_URL: 'postgres://u@127.0.0.1:1/d' } })
  await app.line({ message: 'check failed' })
  const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01`, 'x-request-id': REQUEST }
  await fetch(`${app.url}/v1/absent`, { headers })
  await logRequests(app, rsyslog.file, listNames('a', 20))
  app.signal('SIGTERM')
  await app.ended
  const written = () => readFileSync(rsyslog.file, 'utf8').split('\n').length - 1
  await until(async () => (await kafka.read('logs')).length === written(), 60_000)
  documents = (await kafka.read('logs')).map(({ value }) => JSON.parse(value))
})
afterAll(async () => {
  await killApps()
  await rsyslog?.kill()
  await Promise.all([kafka?.stop(), node?.stop()])
})

/** Renders the mapping of the stream as types by field: `{ 'log.level': 'keyword' }`. */
async function listTypes(): Promise<Readonly<Record<string, string>>> {
  type Properties = Readonly<Record<string, { readonly type?: string; readonly properties?: Properties }>>
  const flatten = (properties: Properties, prefix: string): [string, string][] =>
    Object.entries(properties).flatMap(([name, { type, properties: inner }]) =>
      inner ? flatten(inner, `${prefix}${name}.`) : [[`${prefix}${name}`, type ?? 'object']],
    )
  const indices = await node.send<Record<string, { mappings: { properties: Properties } }>>(
    'GET',
    `/${STREAM}/_mapping`,
  )
  return Object.fromEntries(flatten(Object.values(indices)[0]!.mappings.properties, ''))
}

const count = async () => (await node.send<{ count: number }>('GET', `/${STREAM}/_count`)).count

test('every line is indexed in a data stream', async () => {
  const results = await indexDocuments(node, documents)
  expect(results.filter(({ status }) => status !== 201)).toEqual([])
  expect(await count()).toBe(documents.length)
  expect(await node.send('GET', `/_data_stream/${STREAM}`)).toMatchObject({
    data_streams: [{ template: 'logs' }],
  })
})

test('a line that is sent twice is indexed once', async () => {
  const results = await indexDocuments(node, [...documents, ...documents])
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set([409]))
  expect(await count()).toBe(documents.length)
})

test('lines that differ only in their machine, process or offset have different ids', () => {
  const line = documents[0]!
  const { host, log } = line as { host: object; log: object }
  const variants = [
    line,
    { ...line, host: { ...host, name: 'other' } },
    { ...line, log: { ...log, offset: 7 } },
    { ...line, 'process.pid': 1 },
    { ...line, message: 'other' },
    { ...line, '@timestamp': '2026-01-01T00:00:00.000Z' },
  ]
  expect(new Set(variants.map(documentId)).size).toBe(variants.length)
  expect(documentId({ ...line, log: { ...log, file: { path: 'app.log.1' } } })).toBe(documentId(line))
})

test('a search by trace id or by request id finds exactly the lines of the request', async () => {
  const found = await search(node, `trace.id:${TRACE}`)
  expect(found.length).toBeGreaterThan(0)
  expect(found.map((line) => line['http.request.id'])).toEqual(found.map(() => REQUEST))
  expect(found).toContainEqual(expect.objectContaining({ 'url.path': '/v1/absent', 'trace.id': TRACE }))
  expect(await search(node, `http.request.id:${REQUEST}`)).toEqual(found)
})

test('every documented field is mapped with its documented type', async () => {
  const types = await listTypes()
  const [, section = ''] = readFileSync('docs/logs.md', 'utf8').split(/^## Fields$/m)
  const rows = [...section.matchAll(/^\| `(?!App\.)(\S+)` +\| ([\w ]+?) +\|/gm)]
  expect(rows.length).toBeGreaterThan(25)
  const expected = rows.map(([, name, type]) => [name, type === 'text' ? 'match_only_text' : type])
  expect(types).toMatchObject(Object.fromEntries(expected))
})

test('a field that is not in the mappings is kept with its line, is not mapped, and rejects no line', async () => {
  const line = { ...documents[0], message: 'unknown', somebody: { else: 1 } }
  expect(await indexDocuments(node, [line, { ...line, message: 'unknown too', somebody: 'text' }])).toMatchObject([
    { status: 201 },
    { status: 201 },
  ])
  expect(Object.keys(await listTypes()).filter((name) => name.startsWith('somebody'))).toEqual([])
  expect(await search(node, 'message:unknown')).toHaveLength(2)
})

test("a field of the team's own under App. is found without a change of the template", async () => {
  const line = { ...documents[0], message: 'invoice sent', 'App.invoice.id': 'in-7', 'App.invoice.cents': 12 }
  expect(await indexDocuments(node, [line])).toMatchObject([{ status: 201 }])
  expect(await listTypes()).toMatchObject({ 'App.invoice.id': 'keyword', 'App.invoice.cents': 'long' })
  expect(await search(node, 'App.invoice.id:in-7')).toHaveLength(1)
})

test('a line whose field has another type is rejected with 400, which sends it to the dead-letter queue', async () => {
  const line = { ...documents[0], 'http.response.status_code': 'teapot' }
  expect(await indexDocuments(node, [line])).toMatchObject([
    { status: 400, error: { type: 'mapper_parsing_exception', reason: expect.stringContaining('status_code') } },
  ])
})

test('the stream of rejected lines accepts any rejected line, as a text', async () => {
  const document = {
    '@timestamp': documents[0]?.['@timestamp'],
    event: { original: '{"client.ip":"x"}' },
    error: { message: 'no' },
  }
  expect(await node.send('POST', `/${streamOf('rejected')}/_doc`, document)).toMatchObject({
    result: 'created',
  })
})

interface SavedObject {
  readonly id: string
  readonly type: string
  readonly attributes: {
    readonly title: string
    readonly columns: readonly string[]
    readonly kibanaSavedObjectMeta: { readonly searchSourceJSON: string }
  }
  readonly references: readonly { readonly id: string; readonly name: string }[]
}

describe('the saved searches of Kibana', () => {
  const lines = readFileSync('deploy/logging/kibana.ndjson', 'utf8').trimEnd().split('\n')
  const objects: readonly SavedObject[] = lines.slice(0, -1).map((line) => JSON.parse(line))
  const searches = objects
    .filter(({ type }) => type === 'search')
    .map((object) => ({ ...object, source: JSON.parse(object.attributes.kibanaSavedObjectMeta.searchSourceJSON) }))

  test('are complete: the summary counts them, and each refers to the data view of the stream', () => {
    expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ exportedCount: objects.length, missingRefCount: 0 })
    const view = objects.find(({ type }) => type === 'index-pattern')
    expect(STREAM.startsWith(view?.attributes.title.replace('*', '') ?? '?')).toBe(true)
    for (const { references, source } of searches) {
      expect(references).toEqual([{ id: view?.id, name: source.indexRefName, type: 'index-pattern' }])
    }
  })

  test('show fields that are mapped', async () => {
    const types = await listTypes()
    const columns = searches.flatMap(({ attributes }) => attributes.columns)
    expect(columns.filter((name) => !Object.hasOwn(types, name))).toEqual([])
  })

  test.each([
    ['traces', () => documents.filter((line) => 'trace.id' in line)],
    ['events', () => documents.filter((line) => 'event.action' in line)],
    ['problems', () => documents.filter((line) => /warn|error|fatal/.test(String(line['log.level'])))],
    ['failed', () => [variant({ 'http.response.status_code': 503 })]],
    ['slow', () => [variant({ 'event.duration': 500_000_000 })]],
  ])('%s: finds its lines', async (name, list) => {
    const wanted = list()
    expect(wanted.length).toBeGreaterThan(0)
    await indexDocuments(node, wanted)
    const { source } = searches.find((each) => each.id.endsWith(`-${name}`))!
    expect(source.query.language).toBe('lucene')
    const found = new Set((await search(node, source.query.query)).map(documentId))
    for (const line of wanted) expect(found).toContain(documentId(line))
    const requests = documents.filter((line) => line['url.path'] === '/missing/a-3')
    if (name === 'failed' || name === 'slow') expect(found).not.toContain(documentId(requests[0]!))
  })

  /** Returns a line of a kind of request that the run did not contain. */
  const variant = (fields: Document): Document => ({
    ...documents.find((line) => 'trace.id' in line),
    ...fields,
    message: `request ${Object.keys(fields)}`,
  })
})
