import { afterEach, expect, test } from '@jest/globals'
import { findLines, killApps } from './support/app.ts'
import { startMeasured } from './support/metrics.ts'
import { type Behaviour, type Receiver, startReceiver } from './support/otlp-receiver.ts'
import { readValues } from './support/read-values.ts'
import { freePort, until } from './support/services.ts'

const receivers: Receiver[] = []
afterEach(async () => {
  await killApps()
  await Promise.all(receivers.splice(0).map((receiver) => receiver.stop()))
})

async function receive(behaviour: Behaviour = 'ok', port?: number): Promise<Receiver> {
  const receiver = await startReceiver(port)
  receiver.behave(behaviour)
  receivers.push(receiver)
  return receiver
}

const QUICK = {
  OTEL_BSP_SCHEDULE_DELAY: '10',
  OTEL_BSP_EXPORT_TIMEOUT: '300',
  OTEL_EXPORTER_OTLP_TIMEOUT: '100',
  // The buffer would delay the lines that this test waits for.
  LOG_BUFFER_MS: '1',
}

async function start(port: number, env: Record<string, string> = {}) {
  const { app, scrape } = await startMeasured({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    ...QUICK,
    ...env,
  })
  return {
    app,
    async request(count = 1): Promise<void> {
      for (let sent = 0; sent < count; sent++) {
        const response = await fetch(`${app.url}/ping`)
        expect([response.status, await response.json()]).toEqual([200, { message: 'pong' }])
      }
    },
    async counts() {
      const text = await scrape()
      return {
        exported: readValues(text, 'otel_sdk_exporter_span_exported_total')[''] ?? 0,
        dropped: readValues(text, 'otel_sdk_exporter_span_dropped_total'),
      }
    },
  }
}

type Started = Awaited<ReturnType<typeof start>>

const dropped = async ({ counts }: Started, reason: string) => (await counts()).dropped[`error_type="${reason}"`] ?? 0

/** Waits until every span so far is exported or lost. */
async function settle(started: Started, sent: number): Promise<void> {
  await until(async () => {
    const { exported, dropped } = await started.counts()
    return exported + Object.values(dropped).reduce((sum, count) => sum + count, 0) === sent
  })
}

test('a collector that is down costs only spans, and the log has a line for the start and the end of the loss', async () => {
  const port = await freePort()
  const service = await start(port)
  const { app, request } = service
  await request(5)
  await settle(service, 5)
  await request(5)
  await settle(service, 10)
  expect(await dropped(service, 'export_failed')).toBe(10)
  expect(findLines(app, 'spans lost')).toEqual([
    expect.objectContaining({ 'log.level': 'warn', 'event.reason': 'export_failed', 'error.code': 'ECONNREFUSED' }),
  ])

  const receiver = await receive('ok', port)
  await request(3)
  await settle(service, 13)
  expect(receiver.spans).toHaveLength(3)
  expect(await app.line({ message: 'spans exported again' })).toMatchObject({
    'log.level': 'info',
    'App.traces.lost_spans': 10,
  })

  // The next loss is logged again.
  await receiver.stop()
  await request(1)
  await settle(service, 14)
  await until(() => findLines(app, 'spans lost').length === 2)
})

test.each<[string, Behaviour, string]>([
  ['with a status that asks for a retry', { status: 503, body: '' }, 'export_failed'],
  ['with another status', { status: 400, body: 'no' }, 'export_failed'],
  ['with a page instead of OTLP', { status: 200, body: '<html>' }, 'export_failed'],
  ['that it has rejected the spans', { status: 200, body: '{"partialSuccess":{"rejectedSpans":"4"}}' }, 'rejected'],
  ['never', 'hang', 'export_failed'],
])('a collector that responds %s costs its spans only', async (_name, behaviour, reason) => {
  const receiver = await receive(behaviour)
  const service = await start(receiver.port, { OTEL_BSP_SCHEDULE_DELAY: '200' })
  await service.request(4)
  await settle(service, 4)
  expect(await dropped(service, reason)).toBe(4)
  expect(await service.app.line({ message: 'spans lost' })).toMatchObject({ 'event.reason': reason })

  receiver.behave('ok')
  await service.request(2)
  await settle(service, 6)
  expect(receiver.spans).toHaveLength(2)
  expect(await service.app.line({ message: 'spans exported again' })).toMatchObject({
    'App.traces.lost_spans': 4,
  })
})

test('the queue is limited while the collector hangs', async () => {
  const receiver = await receive('hang')
  const limits = { OTEL_BSP_MAX_QUEUE_SIZE: '10', OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '5' }
  const slow = { OTEL_EXPORTER_OTLP_TIMEOUT: '60000', OTEL_BSP_EXPORT_TIMEOUT: '60000' }
  const service = await start(receiver.port, { ...limits, ...slow })
  await service.request(100)
  // 10 spans wait, and a batch of at most 5 is in flight.
  await until(async () => (await dropped(service, 'queue_full')) >= 85)
  expect(await dropped(service, 'queue_full')).toBeLessThanOrEqual(89)
  expect(findLines(service.app, 'spans lost')).toHaveLength(1)
})
