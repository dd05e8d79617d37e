import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import type { FinishedSpan, SpanSink } from './span.ts'
import { createTracer, type TracedContext } from './tracer.ts'
import { untraced } from './untraced.ts'

const TRACE = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), parentId: undefined, sampled: true, state: 'rojo=1' }
const REQUEST = { requestId: 'r-1', trace: TRACE, priority: 'core' }

function create({ wants = () => true, more = [] }: { wants?: SpanSink['wants']; more?: SpanSink[] } = {}) {
  const storage = new AsyncLocalStorage<typeof REQUEST>()
  const spans: FinishedSpan[] = []
  let minted = 0
  const context = {
    current: () => storage.getStore(),
    run: <T>(context: typeof REQUEST, work: () => T) => storage.run(context, work),
    mintSpanId: () => String(++minted).padStart(16, '0'),
  }
  const tracer = createTracer({ context, sinks: [{ wants, onEnd: (span) => void spans.push(span) }, ...more] })
  return { tracer, spans, context, inRequest: <T>(work: () => T) => storage.run(REQUEST, work) }
}

const SECOND = '0000000000000002'
const FIRST = '0000000000000001'

describe('trace', () => {
  test('runs the work in a child of the current span, and the span ends with the promise', async () => {
    const { tracer, spans, context, inRequest } = create()
    const gate = Promise.withResolvers<string>()
    let current: TracedContext | undefined
    const result = inRequest(() =>
      tracer.trace('quote', { kind: 'client', attributes: { a: 1 } }, async (span) => {
        await setImmediate()
        current = context.current()
        span.setAttribute('b', 'two')
        return gate.promise
      }),
    )
    await setImmediate()
    await setImmediate()
    expect(spans).toEqual([])
    gate.resolve('done')
    expect(await result).toBe('done')
    expect(current).toEqual({ ...REQUEST, trace: { ...TRACE, spanId: FIRST, parentId: TRACE.spanId } })
    expect(spans).toEqual([
      {
        traceId: TRACE.traceId,
        spanId: FIRST,
        parentId: TRACE.spanId,
        requestId: 'r-1',
        name: 'quote',
        kind: 'client',
        startedAt: expect.any(Number),
        durationMs: expect.any(Number),
        attributes: { a: 1, b: 'two' },
        error: undefined,
      },
    ])
  })

  test('nests spans, and returns the result of synchronous work', () => {
    const { tracer, spans, inRequest } = create()
    expect(inRequest(() => tracer.trace('outer', {}, () => tracer.trace('inner', {}, () => 42)))).toBe(42)
    expect(spans.map(({ name, spanId, parentId, kind }) => [name, spanId, parentId, kind])).toEqual([
      ['inner', SECOND, FIRST, 'internal'],
      ['outer', FIRST, TRACE.spanId, 'internal'],
    ])
  })

  test.each<[string, unknown, string]>([
    ['the code of an error', Object.assign(new Error('secret'), { code: '57014' }), '57014'],
    ['the name of an error without a code', new RangeError('secret'), 'RangeError'],
    ['_OTHER for a code with a text', Object.assign(new Error('x'), { code: 'user 5 not found' }), '_OTHER'],
    ['_OTHER for a reason that is no error', 'secret', '_OTHER'],
    ['_OTHER for no reason', undefined, '_OTHER'],
  ])('of work that fails has as error %s, and passes the failure on', async (_name, reason, error) => {
    const { tracer, spans, inRequest } = create()
    await expect(inRequest(() => tracer.trace('later', {}, () => Promise.reject(reason)))).rejects.toBe(reason)
    const fail = () => {
      throw reason
    }
    let thrown: unknown = 'nothing'
    try {
      inRequest(() => tracer.trace('at once', {}, fail))
    } catch (failure) {
      thrown = failure
    }
    expect(thrown).toBe(reason)
    expect(spans).toHaveLength(2)
    for (const span of spans) expect(span).toMatchObject({ error, attributes: { 'error.type': error } })
    expect(JSON.stringify(spans)).not.toContain('secret')
  })

  test('marks a span as failed although its work does not throw', () => {
    const { tracer, spans, inRequest } = create()
    inRequest(() => tracer.trace('call', {}, (span) => span.fail('503')))
    expect(spans[0]).toMatchObject({ error: '503', attributes: { 'error.type': '503' } })
  })

  test('runs the work without a span outside a request, when no sink wants the trace, and without tracing', () => {
    const work = () => {
      expect(all.context.current()?.trace).toBe(undefined)
      return 1
    }
    const all = create()
    expect(all.tracer.trace('x', {}, work)).toBe(1)
    const none = create({ wants: ({ sampled }) => !sampled })
    none.inRequest(() =>
      none.tracer.trace('x', {}, (span) => {
        span.setAttribute('a', 1)
        expect(none.context.current()).toBe(REQUEST)
      }),
    )
    expect(untraced.trace('x', {}, () => 2)).toBe(2)
    expect([...all.spans, ...none.spans]).toEqual([])
  })

  test('gives each span to the sinks that want it', () => {
    const others: string[] = []
    const more = [{ wants: () => true, onEnd: ({ name }: FinishedSpan) => void others.push(name) }]
    const { tracer, spans, inRequest } = create({ wants: () => false, more })
    inRequest(() => tracer.trace('x', {}, () => {}))
    expect([others, spans]).toEqual([['x'], []])
  })
})

describe('start', () => {
  test('returns a span that ends once, with the given parent', () => {
    const { tracer, spans, inRequest } = create()
    const span = inRequest(() => tracer.start('SELECT notes', { parentId: SECOND }))
    span?.end()
    span?.end(new Error('late'))
    expect(spans).toEqual([expect.objectContaining({ name: 'SELECT notes', parentId: SECOND, error: undefined })])
  })

  test('returns undefined outside a request and when no sink wants the trace', () => {
    const { tracer } = create()
    expect([tracer.start('x'), tracer.currentSpanId()]).toEqual([undefined, undefined])
    const none = create({ wants: () => false })
    none.inRequest(() => expect([none.tracer.start('x'), none.tracer.currentSpanId()]).toEqual([undefined, undefined]))
  })
})

test('the attributes of a span are limited', () => {
  const { tracer, spans, inRequest } = create()
  inRequest(() =>
    tracer.trace('x', {}, (span) => {
      for (let count = 0; count < 1_000; count++) span.setAttribute(`a${count}`, 'x'.repeat(10_000))
      span.setAttribute('a0', 'changed')
    }),
  )
  const attributes = Object.entries(spans[0]?.attributes ?? {})
  expect(attributes).toHaveLength(64)
  expect(attributes[0]).toEqual(['a0', 'changed'])
  expect(attributes[1]).toEqual(['a1', 'x'.repeat(1024)])
})
