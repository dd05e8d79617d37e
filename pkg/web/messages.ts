import { IncomingMessage, ServerResponse } from 'node:http'
import type { Express, Response as ExpressResponse } from 'express'

declare module 'http' {
  interface ServerResponse {
    /** Header fields that are sent besides those that are set, as they stand on the wire. Nothing checks them. */
    headerLines: string
    /** Bytes of a body whose length is no header field that was set. */
    bodyBytes: number | undefined
  }
}

export interface Messages {
  readonly IncomingMessage: typeof IncomingMessage
  readonly ServerResponse: typeof ServerResponse<IncomingMessage>
}

/** Where every way to write a head ends, in Node. */
const { _storeHeader: storeHeader } = ServerResponse.prototype as unknown as {
  _storeHeader: (this: ServerResponse, firstLine: string, headers: unknown) => void
}

/** Answers that have no body, or none for a client that has it already: Express decides about those. */
const BODILESS = new Set([204, 205, 304])

/**
 * The classes of requests and answers for `http.createServer`. Express gives each message its own prototype as
 * it comes in, which throws away what V8 knows about the object; these are born with it (docs/performance.md).
 */
export function messagesFor(app: Express): Messages {
  class Request extends IncomingMessage {}
  class Response extends ServerResponse<IncomingMessage> {
    /** A constant field is not worth being checked and stored for each answer. */
    _storeHeader(firstLine: string, headers: unknown): void {
      storeHeader.call(this, firstLine + this.headerLines, headers)
    }
  }
  const { json } = app.response
  const additions = {
    headerLines: '',
    bodyBytes: undefined,
    /** Express's, with a shorter way for an answer that is nothing but JSON: no field was set, no condition asked for. */
    json(this: ExpressResponse, body: unknown) {
      const hasNone = this.getHeaderNames().length === 0 && this.req.headers['if-none-match'] === undefined
      // Not before: Express makes the text of its own answers itself.
      const text = hasNone && !BODILESS.has(this.statusCode) ? JSON.stringify(body) : undefined
      if (text === undefined) return json.call(this, body)
      this.bodyBytes = Buffer.byteLength(text)
      const fields = ['content-type', 'application/json; charset=utf-8', 'content-length', String(this.bodyBytes)]
      return this.writeHead(this.statusCode, fields).end(text)
    },
  }
  Object.setPrototypeOf(Request.prototype, app.request)
  Object.setPrototypeOf(Response.prototype, app.response)
  Object.assign(Response.prototype, additions)
  Object.assign(app, { request: Request.prototype, response: Response.prototype })
  return { IncomingMessage: Request, ServerResponse: Response }
}
