import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, RequestHandler } from 'express'
import { type Options, pinoHttp } from 'pino-http'

/** Longest logged path, in characters. It is longer than real paths and keeps hostile paths from filling the disk. */
const MAX_PATH = 1024

/**
 * Logs one line at the end of each request: the ids of the request, its trace and its span, method, path without the
 * query string, status, duration in milliseconds, bytes of the body (null when it was streamed) and the address of the
 * client. The line of a server error has level error and contains the cause. Sets a logger on `req.log`.
 */
export function accessLog(logger: NonNullable<Options['logger']>): RequestHandler {
  const fields = (request: IncomingMessage, response: ServerResponse, { responseTime }: { responseTime: number }) => {
    const { id, context, method, originalUrl, ip } = request as Request
    const length = response.bodyBytes ?? response.getHeader('content-length')
    return {
      // Set explicitly: the context of the request has ended when the line is written.
      reqId: id,
      'trace.id': context?.trace.traceId,
      'span.id': context?.trace.spanId,
      method,
      path: originalUrl.split('?', 1)[0]?.slice(0, MAX_PATH),
      status: response.statusCode,
      durationMs: responseTime,
      bytes: method === 'HEAD' ? 0 : length === undefined ? null : Number(length),
      clientAddress: ip,
      ...(!response.writableFinished && { aborted: true }),
    }
  }
  const log = pinoHttp({
    logger,
    // Disable the serializers: they run for each request, and `fields` contains everything that is logged.
    serializers: { req: () => undefined },
    wrapSerializers: false,
    customLogLevel: (_request, { statusCode, err }) => (statusCode >= 500 || err !== undefined ? 'error' : 'info'),
    customSuccessMessage: (_request, response) => (response.writableFinished ? 'request' : 'request aborted'),
    customSuccessObject: fields,
    customErrorMessage: () => 'request failed',
    customErrorObject: (request, response, error, value) => ({
      ...fields(request, response, value),
      // Without a cause, pino-http creates an error that only repeats the status.
      ...(response.err !== undefined && { err: error }),
    }),
  })
  // pino-http creates a child logger for each request, to bind fields that `fields` contains already.
  log.logger.child = () => log.logger as never
  return function accessLog(req, res, next) {
    req.log = logger
    res.log = logger
    // A child keeps the level that its parent had at creation. This logger follows later changes of the level.
    if (log.logger.level !== logger.level) log.logger.level = logger.level
    log(req, res, next)
  }
}
