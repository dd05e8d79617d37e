import { createServer, type IncomingHttpHeaders } from 'node:http'
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals'
import { sql } from 'kysely'
import { createHttp } from '#internal/http.ts'
import { createPostgres } from '#internal/store/postgres.ts'
import { createTracing } from '#internal/telemetry/tracing.ts'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { operation } from '#pkg/operation/index.ts'
import { createFetch } from '#pkg/tracing/fetch.ts'
import { killApps } from '../../test/support/app.ts'
import { listen } from '../../test/support/listen.ts'
import { startMeasured } from '../../test/support/metrics.ts'
import { findExemplars, scrapeWithPrometheus } from '../../test/support/prometheus.ts'
import { type TestService, testPostgres, until } from '../../test/support/services.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { buildJaeger, type JaegerSpan, type JaegerTrace, startJaeger } from './start-jaeger.ts'

jest.setTimeout(60_000)

// The first run builds Jaeger.
const jaegerHere = await buildJaeger()
if ('obstacle' in jaegerHere) {
  const message = `THE TRACES WERE NOT TESTED WITH JAEGER.\n${jaegerHere.obstacle}\n`
  if (process.env['CI'] === 'true') throw new Error(message)
  process.stderr.write(message)
}
const testWithJaeger = 'obstacle' in jaegerHere ? test.skip : test

let jaeger: Awaited<ReturnType<typeof startJaeger>>
let database: TestService
beforeAll(async () => {
  if ('obstacle' in jaegerHere) return
  ;[jaeger, database] = await Promise.all([startJaeger(jaegerHere.program), testPostgres()])
})
afterAll(async () => {
  await killApps()
  await Promise.all([jaeger?.stop(), database?.stop()])
})

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

const parentOf = ({ references }: JaegerSpan) => references.find(({ refType }) => refType === 'CHILD_OF')?.spanID
const tag = ({ tags }: JaegerSpan, name: string) => tags.find(({ key }) => key === name)?.value

/** Waits until Jaeger has `count` spans of a trace. */
async function waitForSpans(traceId: string, count: number): Promise<JaegerTrace> {
  let found: JaegerTrace | undefined
  await until(async () => {
    found = await jaeger.trace(traceId)
    return found?.spans.length === count
  }, 30_000)
  return found as JaegerTrace
}

const exporter = (url: string) => ({
  url: `${url}/v1/traces`,
  resource: {},
  scheduleDelayMs: 20,
  sampler: { name: 'parentbased_always_on' as const, ratio: 1 },
})

/** Composes a service from the modules of the artifact. Its only operation sends two queries and one outgoing call. */
async function startOrders(next: string) {
  const context = createRequestContext()
  const logger = createLogger({ level: 'silent', destination: { write() {} } })
  const identity = { service: 'orders', version: '1.2.3' }
  const tracing = await createTracing({ context, logger, ...identity, exporter: exporter(jaeger.endpoint) })
  const postgres = createPostgres({
    url: database.url,
    applicationName: 'orders',
    poolMax: 2,
    connectTimeoutMs: 3_000,
    statementTimeoutMs: 3_000,
    idleTimeoutMs: 3_000,
    onError() {},
    tracer: tracing.database,
  })
  const tracedFetch = createFetch({ outgoingHeaders: context.outgoingHeaders, tracer: tracing.tracer })
  const order = operation({
    id: 'order',
    summary: 'Sends two queries and one call',
    responses: { 204: { description: 'Done' } },
    async handler(_req, res) {
      await sql`select 1`.execute(postgres.db)
      await tracing.tracer.trace('reserve stock', {}, async () => {
        await sql`select 2`.execute(postgres.db)
        await tracedFetch(`${next}/stock?secret=hunter2`)
      })
      res.status(204).end()
    },
  })
  const app = createHttp({
    logger,
    context,
    tracing,
    trustProxy: 1,
    bodyLimitBytes: 1_000,
    rateLimit: (_req, _res, next) => next(),
    routes: [{ path: '/v1/orders/:id', get: order }],
  })
  const { url, stop } = await listen(createServer(app))
  return {
    url,
    async stop() {
      await stop()
      await postgres.stop()
      await tracing.part.stop()
    },
  }
}

testWithJaeger('a request with two queries and one outgoing call is one trace with the right parents', async () => {
  const received: IncomingHttpHeaders[] = []
  const stock = await listen(
    createServer((req, res) => {
      received.push(req.headers)
      res.end('{}')
    }),
  )
  const orders = await startOrders(stock.url)
  const response = await fetch(`${orders.url}/v1/orders/7`, { headers: { traceparent: `00-${TRACE}-${SPAN}-01` } })
  expect(response.status).toBe(204)

  const { spans, processes } = await waitForSpans(TRACE, 6)
  expect(Object.values(processes).map(({ serviceName }) => serviceName)).toEqual(['orders'])
  const find = (name: string) => spans.filter(({ operationName }) => operationName === name)
  const [server] = find('GET /v1/orders/{id}')
  const [reserve] = find('reserve stock')
  const [call] = find('GET')
  const queries = find('SELECT')
  expect(server && [parentOf(server), tag(server, 'span.kind')]).toEqual([SPAN, 'server'])
  expect(reserve && parentOf(reserve)).toBe(server?.spanID)
  expect(queries.map(parentOf).sort()).toEqual([server?.spanID, reserve?.spanID].sort())
  expect(queries.map((query) => tag(query, 'db.system.name'))).toEqual(['postgresql', 'postgresql'])
  // The first query opens the first connection.
  const [wait] = find('wait for a connection')
  const first = queries.find((query) => parentOf(query) === server?.spanID)
  expect(wait && parentOf(wait)).toBe(first?.spanID)
  expect(call && parentOf(call)).toBe(reserve?.spanID)
  // The other service continues the trace below the span of the call.
  expect(received.map(({ traceparent }) => traceparent)).toEqual([`00-${TRACE}-${call?.spanID}-01`])
  expect(JSON.stringify(spans)).not.toContain('hunter2')
  await orders.stop()
  await stock.stop()
})

testWithJaeger(
  'one request id leads to the response, the log line, the trace, the exemplar and the board',
  async () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.endpoint,
      OTEL_BSP_SCHEDULE_DELAY: '20',
      SERVICE_NAME: 'artifact',
    }
    const { app, url } = await startMeasured({ ...env, FEATURES: 'board' })
    const response = await fetch(`${app.url}/ping`, { headers: { 'x-request-id': 'r-42' } })
    expect(response.headers.get('x-request-id')).toBe('r-42')
    const line = await app.line({ message: 'request', 'http.request.id': 'r-42' })
    const [traceId, spanId] = [line['trace.id'], line['span.id']]
    let found: JaegerTrace[] = []
    await until(async () => {
      found = await jaeger.search('artifact', { 'http.request.id': 'r-42' })
      return found.length > 0
    }, 30_000)
    expect(found.flatMap(({ spans }) => spans.map((span) => [span.traceID, span.spanID, span.operationName]))).toEqual([
      [traceId, spanId, 'GET /ping'],
    ])
    const prometheus = await scrapeWithPrometheus(url, temporaryDirectory('prometheus'))
    try {
      const findExemplar = async () =>
        (await findExemplars(prometheus, 'http_server_request_duration_seconds_bucket')).find(
          ({ request_id: id }) => id === 'r-42',
        )
      await until(async () => (await findExemplar()) !== undefined, 30_000)
      expect(await findExemplar()).toMatchObject({ trace_id: traceId, http_route: '/ping' })
    } finally {
      await prometheus.stop()
    }
    const board = await (await fetch(new URL('/board.json?q=r-42', url))).json()
    expect(board).toMatchObject({ found: [{ requests: [{ requestId: 'r-42', traceId, spanId }] }] })
  },
)
