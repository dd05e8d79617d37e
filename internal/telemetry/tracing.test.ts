import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { expect, test } from '@jest/globals'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLogger } from '#pkg/logging/index.ts'
import { type FinishedSpan, type Tracer, untraced } from '#pkg/tracing/index.ts'
import { createTracing } from './tracing.ts'

interface Example {
  createPrices(deps: {
    readonly tracer: Pick<Tracer, 'trace'>
    readonly findOffers: (sku: string) => Promise<readonly number[]>
  }): { lowest(sku: string): Promise<number> }
}

/** Loads the example of docs/tracing.md. */
async function loadExample(): Promise<Example> {
  const [, code = ''] = /^```ts\n(.*?)^```/ms.exec(readFileSync('docs/tracing.md', 'utf8')) ?? []
  return import(`data:text/javascript;base64,${Buffer.from(stripTypeScriptTypes(code)).toString('base64')}`)
}

test('the example of docs/tracing.md adds a span to a request, and works without tracing', async () => {
  const { createPrices } = await loadExample()
  const context = createRequestContext()
  const logger = createLogger({ level: 'silent', destination: { write() {} } })
  const spans: FinishedSpan[] = []
  const sinks = [{ wants: () => true, onEnd: (span: FinishedSpan) => void spans.push(span) }]
  const { tracer, part } = await createTracing({ context, logger, service: 'orders', version: '1', sinks })
  const findOffers = async () => [3, 2]
  const trace = {
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentId: undefined,
    sampled: false,
    state: undefined,
  }
  const request = { requestId: 'r-1', trace, deadline: undefined, priority: undefined }

  const lowest = await context.run(request, () => createPrices({ tracer, findOffers }).lowest('tea'))
  expect(lowest).toBe(2)
  expect(spans).toEqual([
    expect.objectContaining({
      name: 'find the lowest price',
      parentId: trace.spanId,
      attributes: { 'shop.sku': 'tea', 'shop.offers': 2 },
    }),
  ])
  expect(await createPrices({ tracer: untraced, findOffers }).lowest('tea')).toBe(2)
  await part.stop()
})
