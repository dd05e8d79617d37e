import { createServer, type Server } from 'node:http'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { problemHandler } from '../problem/index.ts'
import { identifyClient, rateLimit } from './rate-limit.ts'

let perMinute: number
let server: Server
beforeEach(() => {
  const app = express()
  app.set('trust proxy', 1)
  app.use(rateLimit({ perMinute: () => perMinute }))
  app.get('/', (_req, res) => void res.json({}))
  app.use(problemHandler())
  server = createServer(app).listen(0)
})
afterEach(() => {
  jest.restoreAllMocks()
  server.close()
})

const send = (address: string) => request(server).get('/').set('x-forwarded-for', address)

test('each response has the remaining quota, and a request above it gets 429 with the time to wait', async () => {
  // A busy machine may take seconds for these requests.
  jest.spyOn(performance, 'now').mockReturnValue(1_000)
  perMinute = 2
  for (const left of [1, 0]) {
    const { headers } = await send('192.0.2.1').expect(200)
    expect(headers['ratelimit-policy']).toBe('"client";q=2;w=60')
    expect(headers['ratelimit']).toBe(`"client";r=${left};t=60`)
    expect(headers).not.toHaveProperty('retry-after')
  }
  const { headers, body } = await send('192.0.2.1').expect(429)
  expect(headers['content-type']).toMatch(/^application\/problem\+json/)
  expect(headers['retry-after']).toBe('60')
  expect(headers['ratelimit']).toMatch(/;r=0;/)
  expect(body).toMatchObject({ status: 429, code: 'too_many_requests' })
  await send('192.0.2.2').expect(200)
})

test('the limit may change at any time, and 0 disables it', async () => {
  perMinute = 1
  await send('192.0.2.1').expect(200)
  await send('192.0.2.1').expect(429)
  perMinute = 5
  await send('192.0.2.1').expect(200)
  perMinute = 0
  const { headers } = await send('192.0.2.1').expect(200)
  expect(headers).not.toHaveProperty('ratelimit')
})

test.each([
  ['192.0.2.1', '192.0.2.1'],
  ['192.0.2.1:5555', '192.0.2.1'],
  ['[2001:db8::6]:5555', '2001:db8:0:0'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['::FFFF:c000:201', '192.0.2.1'],
  ['64:ff9b::192.0.2.1', '192.0.2.1'],
  ['::ffff:255.0.0.10', '255.0.0.10'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::6', '2001:db8:1:2'],
  ['2001:db8::6', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['x'.repeat(16_000), 'x'.repeat(64)],
  ['', ''],
])('the client at %s is %s', (address, client) => {
  expect(identifyClient(address)).toBe(client)
})
