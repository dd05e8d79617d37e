// This peer performs the duties of our service for each request, with Fastify and its plugins.
const { default: helmet } = require('@fastify/helmet')
const { fastify, LogController } = require('fastify')
const { destination, pino } = require('pino')
const { accessFields, BODY_LIMIT, HELMET, PINO, problem, requestId } = require('./support/duties.cjs')
const { echo } = require('./support/echo.cjs')

const logger = pino(
  PINO,
  // Like our service, this peer buffers log lines. A write for each line would lower the throughput.
  destination({ dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 }),
)
const app = fastify({
  loggerInstance: logger,
  // Fastify would log two lines for each request, with other fields. The hook below logs one line.
  logController: new LogController({ disableRequestLogging: true }),
  genReqId: requestId,
  bodyLimit: BODY_LIMIT,
  keepAliveTimeout: 75_000,
})

app.register(helmet, HELMET)
app.addHook('onRequest', (request, reply, done) => {
  reply.header('x-request-id', request.id)
  done()
})
app.addHook('onResponse', (request, reply, done) => {
  const length = reply.getHeader('content-length')
  logger.info(
    accessFields({
      id: request.id,
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      bytes: length === undefined ? undefined : Number(length),
      durationMs: reply.elapsedTime,
      address: request.ip,
    }),
    'request',
  )
  done()
})

function sendProblem(error, request, reply) {
  const { status, body } = problem(error, request.id)
  reply.code(status).type('application/problem+json; charset=utf-8').send(body)
}
app.setErrorHandler(sendProblem)
app.setNotFoundHandler((request, reply) => sendProblem({ statusCode: 404 }, request, reply))

// The hooks and headers of plugins apply to routes in plugins that are registered after them.
app.register(async (routes) => {
  routes.get('/ping', async () => ({ message: 'pong' }))
  routes.post('/echo', async (request) => echo(request.body))
})
app.listen({ port: Number(process.env.PORT), host: process.env.HOST })
