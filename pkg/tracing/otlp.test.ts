import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import { createOtlp, type OtlpEvent } from './otlp.ts'

const SPAN = {
  ...{ traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), name: 'work', kind: 'internal' as const },
  ...{ startedAt: 1e12, durationMs: 1, attributes: {} },
}

async function listen(server: Server): Promise<string> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`
}

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
  })
  const { sink, counts, stop } = createOtlp({
    url: await listen(collector),
    resource: { 'service.name': 's' },
    scheduleDelayMs: 1,
    onEvent: () => undefined,
  })
  sink.onEnd(SPAN)
  while (counts.exported + counts.lost.rejected === 0) await setImmediate()
  await stop()
  collector.close()
  collector.closeAllConnections()
  const lost = { queue_full: 0, export_failed: 0, rejected, stopped: 0 }
  expect(counts).toEqual({ exported: 1 - rejected, lost })
})

test('a stop does not wait for a collector that refuses connections', async () => {
  const collector = createServer()
  const url = await listen(collector)
  await new Promise((resolve) => collector.close(resolve))
  const events: OtlpEvent[] = []
  // The SDK retries for about 13 s.
  const limits = { timeoutMs: 600_000, flushTimeoutMs: 600_000 }
  const { sink, counts, stop } = createOtlp({ url, resource: {}, ...limits, onEvent: (event) => events.push(event) })
  sink.onEnd(SPAN)
  await stop()
  expect(counts.lost.stopped).toBe(1)
  expect(events).toMatchObject([{ type: 'spans lost', reason: 'stopped', err: { code: 'ECONNREFUSED' } }])
})

test('a batch that fails during a stop does not cost the other batches', async () => {
  const responses: ServerResponse[] = []
  const collector = createServer((request, response) => {
    request.resume().once('end', () => {
      // The processor sends the first batch at once, and the other two during the stop.
      if (responses.push(response) === 3) responses[1]?.writeHead(400).end()
    })
  })
  const { sink, counts, stop } = createOtlp({
    url: await listen(collector),
    resource: {},
    maxBatchSize: 1,
    scheduleDelayMs: 600_000,
    // This event follows the response with status 400.
    onEvent: () => responses.forEach((response) => void response.end('{}')),
  })
  for (let count = 0; count < 3; count++) sink.onEnd(SPAN)
  await stop()
  collector.close()
  collector.closeAllConnections()
  expect(counts).toEqual({ exported: 2, lost: { queue_full: 0, export_failed: 1, rejected: 0, stopped: 0 } })
})
