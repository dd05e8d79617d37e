const express = require('express')
const { rateLimit } = require('express-rate-limit')
const { default: helmet } = require('helmet')
const { pinoHttp } = require('pino-http')
const { echo } = require('./support/echo.cjs')

const app = express()
app.use(helmet())
app.use(pinoHttp())
// The limit counts every request and never rejects one.
app.use(
  rateLimit({ windowMs: 60_000, limit: Number.MAX_SAFE_INTEGER, standardHeaders: 'draft-8', legacyHeaders: false }),
)
app.use(express.json())
app.get('/ping', (_req, res) => res.json({ message: 'pong' }))
app.post('/echo', (req, res) => res.json(echo(req.body)))
app.listen(process.env.PORT, process.env.HOST)
