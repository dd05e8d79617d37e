const { fastify } = require('fastify')
const { echo } = require('./support/echo.cjs')

const app = fastify()
app.get('/ping', async () => ({ message: 'pong' }))
app.post('/echo', async (request) => echo(request.body))
app.listen({ port: Number(process.env.PORT), host: process.env.HOST })
