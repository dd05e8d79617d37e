// Fastify with the pool of pg, in its usual style.
const { fastify, LogController } = require('fastify')
const { destination, pino } = require('pino')
const { accessFields, PINO, requestId } = require('../peers/support/duties.cjs')
const { createPool, formatNote, formatPage, parseVersion, SQL } = require('./notes.cjs')

const pool = createPool()
const logger = pino(PINO, destination({ dest: 1, sync: false, minLength: 8 * 1024, periodicFlush: 100 }))
const app = fastify({
  loggerInstance: logger,
  logController: new LogController({ disableRequestLogging: true }),
  genReqId: requestId,
  keepAliveTimeout: 75_000,
})
app.addHook('onResponse', (request, reply, done) => {
  logger.info(
    accessFields({
      id: request.id,
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      bytes: Number(reply.getHeader('content-length')),
      durationMs: reply.elapsedTime,
      address: request.ip,
    }),
    'request',
  )
  done()
})

const params = { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } }
const text = { type: 'string', maxLength: 10_000 }
const title = { type: 'string', minLength: 1, maxLength: 200 }
const querystring = { type: 'object', properties: { limit: { type: 'integer', default: 20, maximum: 100 } } }
const note = {
  type: 'object',
  properties: {
    id: { type: 'string' },
    version: { type: 'integer' },
    createdAt: { type: 'string', format: 'date-time' },
    updatedAt: { type: 'string', format: 'date-time' },
    title: { type: 'string' },
    text: { type: 'string' },
  },
}
const page = {
  type: 'object',
  properties: { items: { type: 'array', items: note }, next: { type: ['string', 'null'] } },
}

app.get('/ping', async () => ({ message: 'pong' }))
app.get('/v1/notes', { schema: { querystring, response: { 200: page } } }, async ({ query: { limit } }) => {
  const { rows } = await pool.query(SQL.list, [limit + 1])
  return formatPage(rows, limit)
})
app.post(
  '/v1/notes',
  { schema: { body: { type: 'object', required: ['title'], properties: { title, text } }, response: { 201: note } } },
  async ({ body }, reply) => {
    const { rows } = await pool.query(SQL.create, [body.title, body.text ?? ''])
    return reply.code(201).send(formatNote(rows[0]))
  },
)
app.get('/v1/notes/:id', { schema: { params, response: { 200: note } } }, async (request, reply) => {
  const { rows } = await pool.query(SQL.read, [request.params.id])
  return rows[0] ? formatNote(rows[0]) : reply.code(404).send()
})
app.patch(
  '/v1/notes/:id',
  { schema: { params, body: { type: 'object', properties: { text } }, response: { 200: note } } },
  async ({ body, params, headers }, reply) => {
    const { rows } = await pool.query(SQL.update, [body.text, params.id, parseVersion(headers['if-match'])])
    return rows[0] ? formatNote(rows[0]) : reply.code(412).send()
  },
)
app.listen({ port: Number(process.env.PORT), host: process.env.HOST })
