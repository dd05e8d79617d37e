const express = require('express')
const { echo } = require('./support/echo.cjs')

const app = express()
app.get('/ping', (_req, res) => res.json({ message: 'pong' }))
app.post('/echo', express.json(), (req, res) => res.json(echo(req.body)))
app.listen(process.env.PORT, process.env.HOST)
