import { OutgoingMessage } from 'node:http'
import type { Express, Response } from 'express'

declare module 'http' {
  interface ServerResponse {
    /** Size of a body whose content-length was not set with `setHeader`, in bytes. */
    bodyBytes?: number
  }
}

/** Responses without a body. Express decides about them. */
const BODILESS = new Set([204, 205, 304])

/** Makes `res.json` write head and body at once when no header was set and the request is not conditional. */
export function sendJsonAtOnce(app: Express): void {
  const { json } = app.response
  app.response.json = function (this: Response, body: unknown) {
    const isPlain =
      OutgoingMessage.prototype.getHeaderNames.call(this).length === 0 &&
      this.req.headers['if-none-match'] === undefined &&
      !BODILESS.has(this.statusCode)
    const text = isPlain ? JSON.stringify(body) : undefined
    if (text === undefined) return json.call(this, body)
    this.bodyBytes = Buffer.byteLength(text)
    const fields = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(this.bodyBytes)]
    this.writeHead(this.statusCode, fields).end(text)
    return this
  }
}
