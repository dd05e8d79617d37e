import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, RequestHandler } from 'express'
import { type Options, pinoHttp, startTime } from 'pino-http'
import { limitAddress, toIp } from './client-address.ts'

/** Longest logged path, in characters. Real paths are shorter, and hostile paths must not fill the disk. */
const MAX_PATH = 1024

/**
 * Logs one line at the end of each request, with the fields of the Elastic Common Schema: the ids of the request, its
 * trace and its span, method, path without the query string, status (absent when no response was sent), duration in
 * nanoseconds, bytes of the body (absent when it was streamed) and the address of the client. `event.outcome` is
 * `failure` for a server error, `unknown` when the client closed the connection first, and absent otherwise. The line of
 * a server error has level error and contains the cause. Sets a logger on `req.log`.
 */
export function accessLog(logger: NonNullable<Options['logger']>): RequestHandler {
  const fields = (request: IncomingMessage, response: ServerResponse) => {
    const { id, context, method, originalUrl, ip } = request as Request
    const { statusCode, headersSent } = response
    const length = response.bodyBytes ?? response.getHeader('content-length')
    const query = originalUrl.indexOf('?')
    return {
      // Set the ids explicitly, because the context of the request has ended when the line is written.
      'http.request.id': id,
      'trace.id': context?.trace.traceId,
      'span.id': context?.trace.spanId,
      'http.request.method': method,
      'url.path': originalUrl.slice(0, query < 0 || query > MAX_PATH ? MAX_PATH : query),
      'http.response.status_code': headersSent ? statusCode : undefined,
      'http.response.body.bytes': method === 'HEAD' ? 0 : length === undefined ? undefined : Number(length),
      'event.duration': Math.round((performance.now() - response[startTime]) * 1e6),
      'event.outcome': statusCode >= 500 ? 'failure' : response.writableFinished ? undefined : 'unknown',
      'client.address': limitAddress(ip),
      'client.ip': toIp(ip),
    }
  }
  const log = pinoHttp({
    logger,
    // pino-http's serializers would run for each request, and `fields` contains everything that is logged.
    wrapSerializers: false,
    customLogLevel: (_request, { statusCode, err }) => (statusCode >= 500 || err !== undefined ? 'error' : 'info'),
    customSuccessMessage: (_request, response) => (response.writableFinished ? 'request' : 'request aborted'),
    customSuccessObject: fields,
    customErrorMessage: () => 'request failed',
    customErrorObject: (request, response, error) => ({
      ...fields(request, response),
      // Without a cause, pino-http creates an error that only repeats the status.
      ...(response.err !== undefined && { err: error }),
    }),
  })
  // pino-http creates a child logger for each request, to bind fields that `fields` contains already.
  log.logger.child = () => log.logger as never
  return function accessLog(req, res, next) {
    req.log = logger
    res.log = logger
    // pino-http would read the wall clock, which has milliseconds and may be set back.
    res[startTime] = performance.now()
    // A child keeps the level that its parent had at creation. This logger follows later changes of the level.
    if (log.logger.level !== logger.level) log.logger.level = logger.level
    log(req, res, next)
  }
}
