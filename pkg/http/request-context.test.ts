import { setTimeout } from 'node:timers/promises'
import { expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { createRequestContext } from './request-context.ts'

test('the id of a request is available in all of its asynchronous work, and undefined outside of a request', async () => {
  const context = createRequestContext()
  const app = express()
  app.use(context.middleware)
  app.get('/', async (_req, res) => {
    await setTimeout(1)
    res.json(context.requestId())
  })
  const ids = ['one', 'two', 'three']
  const responses = await Promise.all(ids.map((id) => request(app).get('/').set('x-request-id', id)))
  expect(responses.map(({ body }) => body)).toEqual(ids)
  expect(context.requestId()).toBeUndefined()
})
