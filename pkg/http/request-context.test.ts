import { setImmediate } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { type Context, createRequestContext, type Sample } from './request-context.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const SAMPLED = `00-${TRACE}-${SPAN}-01`

test('the context of a request is available in all of its asynchronous work, and undefined outside the request', async () => {
  const context = createRequestContext()
  const app = express()
  app.use(context.middleware())
  app.get('/', async (_req, res) => {
    await setImmediate()
    res.json(context.current()?.requestId)
  })
  const ids = ['one', 'two', 'three']
  const responses = await Promise.all(ids.map((id) => request(app).get('/').set('x-request-id', id)))
  expect(responses.map(({ body }) => body)).toEqual(ids)
  expect(context.current()).toBeUndefined()
  expect(context.outgoingHeaders()).toEqual({})
})

test('the context has the priority of the operation, for all of its asynchronous work', async () => {
  const context = createRequestContext()
  const app = express()
  app.use(context.middleware())
  const seen: unknown[] = []
  const see: express.RequestHandler = async (_req, res) => {
    await setImmediate()
    seen.push(context.current()?.priority)
    res.end()
  }
  app.get('/core', context.prioritize('core'), see)
  app.get('/other', see)
  await request(app).get('/core').expect(200)
  await request(app).get('/other').expect(200)
  expect(seen).toEqual(['core', undefined])
})

interface Options {
  readonly trustProxy?: number | string
  readonly sample?: Sample
}

/** Sends one request and returns its context and the headers of its outgoing calls. */
async function send(headers: Record<string, string>, { trustProxy = 0, sample }: Options = {}) {
  const context = createRequestContext()
  const app = express()
  app.set('trust proxy', trustProxy)
  app.use(context.middleware({ sample }))
  let seen: Context | undefined
  app.get('/', (req, res) => {
    seen = context.current()
    expect(req.context).toBe(seen)
    res.json(context.outgoingHeaders())
  })
  const { body } = await request(app).get('/').set(headers).expect(200)
  if (seen === undefined) throw new Error('no context')
  return { trace: seen.trace, outgoing: body }
}

describe('a trace', () => {
  test('starts with a request without traceparent', async () => {
    const { trace, outgoing } = await send({})
    const { traceId, spanId } = trace
    expect(trace).toEqual({ traceId, spanId, parentId: undefined, sampled: false, state: undefined })
    expect(outgoing).toEqual({ traceparent: `00-${traceId}-${spanId}-00` })
  })

  test('starts when traceparent is invalid, and tracestate is dropped', async () => {
    const { trace } = await send({ traceparent: `ff-${TRACE}-${SPAN}-01`, tracestate: 'rojo=1' }, { trustProxy: 1 })
    expect(trace).toMatchObject({ parentId: undefined, sampled: false, state: undefined })
    expect(trace.traceId).not.toBe(TRACE)
  })

  test('of the caller continues with its state and a span of this service', async () => {
    const { trace, outgoing } = await send({ traceparent: SAMPLED, tracestate: 'rojo=1' }, { sample: () => true })
    const { spanId } = trace
    expect(trace).toEqual({ traceId: TRACE, spanId, parentId: SPAN, sampled: true, state: 'rojo=1' })
    expect(spanId).not.toBe(SPAN)
    expect(outgoing).toEqual({ traceparent: `00-${TRACE}-${spanId}-01`, tracestate: 'rojo=1' })
  })

  test('continues when its state is invalid', async () => {
    const { outgoing } = await send({ traceparent: SAMPLED, tracestate: 'rojo' })
    expect(outgoing).toEqual({ traceparent: `00-${TRACE}-${SPAN}-00` })
  })

  test('has the span of the caller as the parent of outgoing calls when this service records no spans', async () => {
    const { trace, outgoing } = await send({ traceparent: SAMPLED }, { trustProxy: 1 })
    expect(outgoing).toEqual({ traceparent: SAMPLED })
    expect(trace.spanId).not.toBe(SPAN)
  })
})

describe('the sampled flag of the caller', () => {
  test.each([
    ['no proxy is trusted', 0, false],
    ['one proxy is trusted', 1, true],
    ['the address of the caller is trusted', 'loopback', true],
    ['another address is trusted', '10.0.0.0/8', false],
  ])('counts only from a trusted proxy: %s', async (_name, trustProxy, sampled) => {
    expect((await send({ traceparent: SAMPLED }, { trustProxy })).trace.sampled).toBe(sampled)
  })

  test('is ignored when only the address in x-forwarded-for is trusted', async () => {
    const headers = { traceparent: SAMPLED, 'x-forwarded-for': '10.0.0.1' }
    expect((await send(headers, { trustProxy: '10.0.0.0/8' })).trace.sampled).toBe(false)
  })

  test('reaches the sampler from a trusted proxy, which decides', async () => {
    const seen: unknown[] = []
    const sample: Sample = (...args) => {
      seen.push(args)
      return false
    }
    const { trace } = await send({ traceparent: SAMPLED }, { trustProxy: 1, sample })
    await send({ traceparent: SAMPLED }, { sample })
    const started = await send({}, { trustProxy: 1, sample })
    expect(trace.sampled).toBe(false)
    expect(seen).toEqual([
      [TRACE, true],
      [TRACE, undefined],
      [started.trace.traceId, undefined],
    ])
  })
})

test('work in another context sees that context', async () => {
  const context = createRequestContext()
  const trace = { traceId: TRACE, spanId: SPAN, parentId: undefined, sampled: true, state: undefined }
  const other: Context = { requestId: 'r-1', trace, deadline: 5, priority: 'core' }
  await context.run(other, async () => {
    await setImmediate()
    expect(context.current()).toBe(other)
    expect(context.outgoingHeaders()).toEqual({ traceparent: SAMPLED })
  })
  expect(context.current()).toBeUndefined()
})
