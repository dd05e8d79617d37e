// The practical limit: the responses and log lines of our service, written directly on node:http.
const { createServer } = require('node:http')
const { createAccessLog } = require('./support/access-log.cjs')
const { BODY_LIMIT, problem, requestId } = require('./support/duties.cjs')
const { echo } = require('./support/echo.cjs')

// The headers of helmet with the options in support/duties.cjs.
const SECURITY = Object.entries({
  'Content-Security-Policy': "default-src 'none';frame-ancestors 'none';base-uri 'none';form-action 'none'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Origin-Agent-Cluster': '?1',
  'Referrer-Policy': 'no-referrer',
  'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
  'X-Content-Type-Options': 'nosniff',
  'X-DNS-Prefetch-Control': 'off',
  'X-Download-Options': 'noopen',
  'X-Frame-Options': 'DENY',
  'X-Permitted-Cross-Domain-Policies': 'none',
  'X-XSS-Protection': '0',
}).flat()
const JSON_TYPE = 'application/json; charset=utf-8'

const log = createAccessLog()

const server = createServer((request, response) => {
  const startedAt = performance.now()
  const address = request.socket.remoteAddress
  const id = requestId(request)
  let bytes = 0
  response.once('close', () => log(id, request, response, bytes, startedAt, address))

  // Node sends a string in one packet with the headers, and a buffer in a second packet.
  function send(status, type, body) {
    bytes = Buffer.byteLength(body)
    response.writeHead(status, ['x-request-id', id, ...SECURITY, 'Content-Type', type, 'Content-Length', bytes])
    response.end(body)
  }
  function fail(error) {
    const { status, body } = problem(error, id)
    send(status, 'application/problem+json; charset=utf-8', body)
  }

  const { method, url } = request
  if (method === 'GET' && url === '/ping') return send(200, JSON_TYPE, JSON.stringify({ message: 'pong' }))
  if (method !== 'POST' || url !== '/echo') return fail({ statusCode: 404 })
  if (!(Number(request.headers['content-length']) <= BODY_LIMIT)) return fail({ statusCode: 413 })
  const chunks = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.once('end', () => {
    try {
      send(200, JSON_TYPE, JSON.stringify(echo(JSON.parse(Buffer.concat(chunks)))))
    } catch (error) {
      fail(error instanceof SyntaxError ? { statusCode: 400 } : error)
    }
  })
})
server.keepAliveTimeout = 75_000
server.listen(process.env.PORT, process.env.HOST)
