// Express with helmet, pino-http and the pool of pg, in its usual style.
const express = require('express')
const { default: helmet } = require('helmet')
const { pinoHttp } = require('pino-http')
const { createPool, formatNote, formatPage, parseVersion, SQL, UUID } = require('./notes.cjs')

const pool = createPool()
const app = express()
app.use(helmet())
app.use(pinoHttp())
app.use(express.json())
app.get('/ping', (_req, res) => res.json({ message: 'pong' }))
app.get('/v1/notes', async (req, res) => {
  const limit = Number(req.query.limit)
  const { rows } = await pool.query(SQL.list, [limit + 1])
  res.json(formatPage(rows, limit))
})
app.post('/v1/notes', async (req, res) => {
  const { rows } = await pool.query(SQL.create, [req.body.title, req.body.text ?? ''])
  res.status(201).json(formatNote(rows[0]))
})
app.get('/v1/notes/:id', async (req, res) => {
  if (!UUID.test(req.params.id)) return res.sendStatus(404)
  const { rows } = await pool.query(SQL.read, [req.params.id])
  if (rows[0]) res.json(formatNote(rows[0]))
  else res.sendStatus(404)
})
app.patch('/v1/notes/:id', async (req, res) => {
  const { rows } = await pool.query(SQL.update, [req.body.text, req.params.id, parseVersion(req.get('if-match'))])
  if (rows[0]) res.json(formatNote(rows[0]))
  else res.sendStatus(412)
})
app.listen(process.env.PORT, process.env.HOST).keepAliveTimeout = 75_000
