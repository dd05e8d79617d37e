import { IncomingMessage, ServerResponse } from 'node:http'
import type { Express } from 'express'

export type MessageClasses = ReturnType<typeof createMessageClasses>

/** Creates the message classes of one server, for `http.createServer`. */
export function createMessageClasses() {
  return {
    IncomingMessage: class Request extends IncomingMessage {},
    ServerResponse: class Response extends ServerResponse<IncomingMessage> {},
  }
}

/**
 * Gives these classes Express's prototypes. Express otherwise replaces the prototype of each request and response, and V8
 * discards what it has learned about their shape.
 */
export function adoptMessageClasses(app: Express, { IncomingMessage, ServerResponse }: MessageClasses): void {
  Object.setPrototypeOf(IncomingMessage.prototype, app.request)
  Object.setPrototypeOf(ServerResponse.prototype, app.response)
  Object.assign(app, { request: IncomingMessage.prototype, response: ServerResponse.prototype })
}
