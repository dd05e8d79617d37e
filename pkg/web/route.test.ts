import { expect, test } from '@jest/globals'
import express from 'express'
import request from 'supertest'
import { problemHandler } from './problem.ts'
import { route } from './route.ts'

test('each method of a path reaches its handler, and the others are told which there are', async () => {
  const app = express()
  const echo: express.RequestHandler = (req, res) => void res.json(req.method)
  route(app, '/things/:id', { patch: echo, get: echo, delete: echo })
  app.use(problemHandler())
  await request(app).patch('/things/1').expect(200, '"PATCH"')
  await request(app).delete('/things/1').expect(200, '"DELETE"')
  await request(app).get('/things/1').expect(200, '"GET"')
  const malformed = await request(app).get('/things/%E0%A4%A').expect(400)
  expect(malformed.body).toMatchObject({ code: 'malformed_path' })
  const refused = await request(app).put('/things/1').expect(405)
  expect(refused.headers['allow']).toBe('DELETE, GET, HEAD, OPTIONS, PATCH')
})

test('a path may come and go: while it is not there it is no path, for any method', async () => {
  let isThere = false
  const app = express()
  route(app, '/beta', { get: (_req, res) => void res.json({}) }, { when: () => isThere })
  app.use((_req, res) => void res.status(404).end())
  await request(app).get('/beta').expect(404)
  await request(app).post('/beta').expect(404)
  await request(app).options('/beta').expect(404)
  isThere = true
  await request(app).get('/beta').expect(200)
  await request(app).options('/beta').expect(204).expect('allow', 'GET, HEAD, OPTIONS')
  isThere = false
  await request(app).get('/beta').expect(404)
})

test('a handler that passes a request on is not told that its method is not allowed', async () => {
  const app = express()
  route(app, '/things/:id', { get: (_req, _res, next) => next() })
  app.use((_req, res) => void res.status(404).end())
  await request(app).get('/things/1').expect(404)
})
