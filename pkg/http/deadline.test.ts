import { once } from 'node:events'
import { createServer, type RequestListener, request as send } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { deadline } from './deadline.ts'
import { type Context, createRequestContext } from './request-context.ts'

function createApp(trustProxy: number | string = 0) {
  const context = createRequestContext()
  const app = express()
  app.set('trust proxy', trustProxy)
  app.use(context.middleware())
  app.use(deadline({ context, timeoutMs: 15_000, now: () => 1_000 }))
  return { app, context }
}

test.each([
  ['no header', {}, 16_000],
  ['x-request-timeout-ms', { 'x-request-timeout-ms': '200' }, 1_200],
  ['x-envoy-expected-rq-timeout-ms', { 'x-envoy-expected-rq-timeout-ms': '300' }, 1_300],
  ['both', { 'x-envoy-expected-rq-timeout-ms': '300', 'x-request-timeout-ms': '200' }, 1_200],
  ['a list', { 'x-request-timeout-ms': '900, 400' }, 1_400],
  ['a longer time than the own one', { 'x-request-timeout-ms': '20000' }, 16_000],
  ['no time', { 'x-request-timeout-ms': '0' }, 16_000],
  ['a negative time', { 'x-request-timeout-ms': '-5' }, 16_000],
  ['a text', { 'x-request-timeout-ms': '1e3' }, 16_000],
])('%s from a trusted peer', async (_name, headers: Record<string, string>, expected) => {
  const { app, context } = createApp('loopback')
  app.get('/', (_req, res) => void res.json(context.current()?.deadline))
  expect((await request(app).get('/').set(headers)).body).toBe(expected)
})

test('the deadline includes the time in a queue in front of Express', async () => {
  const { app, context } = createApp()
  app.get('/', (_req, res) => void res.json(context.current()?.deadline))
  const queued: RequestListener = (req, res) => app(Object.assign(req, { arrivedAt: 900 }), res)
  expect((await request(createServer(queued)).get('/')).body).toBe(15_900)
})

test('the headers of a peer that TRUST_PROXY does not name are ignored', async () => {
  const { app, context } = createApp()
  app.get('/', (_req, res) => void res.json(context.current()?.deadline))
  expect((await request(app).get('/').set('x-request-timeout-ms', '1')).body).toBe(16_000)
})

test('the signal aborts when the caller disconnects, and not after a response', async () => {
  const { app, context } = createApp()
  const seen: Context[] = []
  const arrived = Promise.withResolvers<void>()
  app.get('/', (_req, res) => {
    seen.push(context.current()!)
    res.end()
  })
  app.get('/slow', (req) => {
    expect(req.context).toBe(context.current())
    seen.push(context.current()!)
    arrived.resolve()
  })
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await request(server).get('/').expect(200)
  const call = send({ port, host: '127.0.0.1', path: '/slow' }).on('error', () => undefined)
  call.end()
  await arrived.promise
  const [answered, slow] = seen.map(({ signal }) => signal!)
  const aborted = once(slow!, 'abort')
  call.destroy()
  await aborted
  expect(answered?.aborted).toBe(false)
  server.close()
})
