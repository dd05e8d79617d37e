// The duties of a complete service for each request, in the form of this service.
const { randomUUID } = require('node:crypto')
const { isIP } = require('node:net')

exports.BODY_LIMIT = 100 * 1024

exports.HELMET = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], baseUri: ["'none'"], formAction: ["'none'"] },
  },
  referrerPolicy: { policy: 'no-referrer' },
  xFrameOptions: { action: 'deny' },
}

const SANE = /^[A-Za-z0-9._-]{1,128}$/

exports.requestId = function requestId(request) {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID()
}

/** The first fields of every log line. */
const BASE = {
  'ecs.version': '8.17.0',
  'service.name': 'my-service',
  'service.version': '0.1.0',
  'process.pid': process.pid,
}
exports.BASE = BASE

/** The options with which pino writes the Elastic Common Schema. */
exports.PINO = {
  base: BASE,
  messageKey: 'message',
  timestamp: () => `,"@timestamp":"${new Date().toISOString()}"`,
  formatters: { level: (label) => ({ 'log.level': label }) },
}

/** Returns the fields of an access log line. */
exports.accessFields = function accessFields({ id, method, url, status, bytes, durationMs, address }) {
  return {
    'http.request.id': id,
    'http.request.method': method,
    'url.path': url.split('?', 1)[0].slice(0, 1024),
    'http.response.status_code': status,
    'http.response.body.bytes': bytes,
    'event.duration': Math.round(durationMs * 1e6),
    'client.address': address,
    'client.ip': isIP(address) === 0 ? undefined : address,
  }
}

const PROBLEMS = {
  400: ['Bad Request', 'bad_request', 'The request is not valid HTTP.'],
  404: ['Not Found', 'not_found', 'The path does not exist.'],
  413: ['Payload Too Large', 'body_too_large', 'The body exceeds the size limit.'],
  422: ['Unprocessable Entity', 'invalid_input', 'Some fields are invalid; see errors.'],
  500: ['Internal Server Error', 'internal', 'An internal error occurred.'],
}

/** Returns the status and the RFC 9457 document for an error with an optional status. */
exports.problem = function problem({ statusCode, errors }, requestId) {
  const status = statusCode in PROBLEMS ? statusCode : 500
  const [title, code, detail] = PROBLEMS[status]
  return { status, body: JSON.stringify({ type: 'about:blank', title, status, detail, code, requestId, errors }) }
}
