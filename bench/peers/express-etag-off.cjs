const express = require('express')

const app = express()
app.disable('etag')
app.get('/ping', (_req, res) => res.json({ message: 'pong' }))
app.listen(process.env.PORT, process.env.HOST)
