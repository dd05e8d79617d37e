import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Request, RequestHandler } from 'express'
import { type Options, pinoHttp } from 'pino-http'

export interface AccessLogOptions {
  readonly logger: NonNullable<Options['logger']>
}

/** Long enough for any real path, short enough that a hostile one cannot fill the disk. */
const MAX_PATH = 1024

/**
 * One line a request when it is over: request id, method, path without the query string, status,
 * duration in milliseconds, bytes of the body (null when it was streamed) and the client's address.
 * A server error's line is of level error and has the cause. Puts a logger on `req.log`.
 */
export function accessLog({ logger }: AccessLogOptions): RequestHandler {
  const fields = (request: IncomingMessage, response: ServerResponse, { responseTime }: { responseTime: number }) => {
    const { id, method, originalUrl, ip } = request as Request
    const length = response.bodyBytes ?? response.getHeader('content-length')
    return {
      // Named here and not left to the logger's context, which is gone when the answer has been sent.
      reqId: id,
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
    // Serialized for each request whether or not a line uses it; `fields` says all there is to say.
    serializers: { req: () => undefined },
    wrapSerializers: false,
    customLogLevel: (_request, { statusCode, err }) => (statusCode >= 500 || err !== undefined ? 'error' : 'info'),
    customSuccessMessage: (_request, response) => (response.writableFinished ? 'request' : 'request aborted'),
    customSuccessObject: fields,
    customErrorMessage: () => 'request failed',
    customErrorObject: (request, response, error, value) => ({
      ...fields(request, response, value),
      // Without a cause pino-http makes up an error that says no more than the status does.
      ...(response.err !== undefined && { err: error }),
    }),
  })
  // It makes a child for each request, to bind to it what `fields` says anyway.
  log.logger.child = () => log.logger as never
  return function accessLog(req, res, next) {
    req.log = logger
    res.log = logger
    // A child keeps the level that its parent had once; this one follows, because the level may change.
    if (log.logger.level !== logger.level) log.logger.level = logger.level
    log(req, res, next)
  }
}
