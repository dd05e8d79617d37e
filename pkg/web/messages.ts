import { IncomingMessage, ServerResponse } from 'node:http'
import type { Express, Response as ExpressResponse } from 'express'

declare module 'http' {
  interface ServerResponse {
    /** Header fields that are sent besides those that are set, as they stand on the wire. Nothing checks them. */
    headerLines: string
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

/** Answers about which Express decides: of another type, without a body, or not for a client that has them already. */
const BODILESS = new Set([204, 205, 304])
const DECIDING = ['content-type', 'etag', 'last-modified'] as const

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
    /** Express's, without settings that nobody uses here, and without asking for what it has set itself. */
    json(this: ExpressResponse, body: unknown) {
      const text = JSON.stringify(body)
      const isPlain = !BODILESS.has(this.statusCode) && !DECIDING.some((name) => this.hasHeader(name))
      if (text === undefined || !isPlain) return json.call(this, body)
      this.setHeader('content-type', 'application/json; charset=utf-8')
      this.setHeader('content-length', Buffer.byteLength(text))
      return this.end(text)
    },
  }
  Object.setPrototypeOf(Request.prototype, app.request)
  Object.setPrototypeOf(Response.prototype, app.response)
  Object.assign(Response.prototype, additions)
  Object.assign(app, { request: Request.prototype, response: Response.prototype })
  return { IncomingMessage: Request, ServerResponse: Response }
}
