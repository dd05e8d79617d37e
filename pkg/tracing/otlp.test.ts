import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { createOtlp } from './otlp.ts'

test.each([
  ['"many"', 0],
  ['-5', 0],
  ['null', 0],
  ['{}', 0],
  ['1e9', 1],
  ['"1"', 1],
])('a collector that rejects %s spans of one leaves valid counters', async (rejectedSpans, rejected) => {
  const collector = createServer((request, response) => {
    request.resume().once('end', () => response.end(`{"partialSuccess":{"rejectedSpans":${rejectedSpans}}}`))
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const { sink, counts, stop } = createOtlp({
    url: `http://127.0.0.1:${port}/v1/traces`,
    resource: { 'service.name': 's' },
    scheduleDelayMs: 1,
    onEvent: () => undefined,
  })
  const ids = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) }
  sink.onEnd({ ...ids, name: 'work', kind: 'internal', startedAt: 1e12, durationMs: 1, attributes: {} })
  while (counts.exported + counts.lost.rejected === 0) await setImmediate()
  await stop()
  collector.close()
  collector.closeAllConnections()
  const lost = { queue_full: 0, export_failed: 0, rejected, stopped: 0 }
  expect(counts).toEqual({ exported: 1 - rejected, lost })
})
