import { ClientRequest, ServerResponse, validateHeaderValue } from 'node:http'
import type { Express, Response } from 'express'

declare module 'http' {
  interface ServerResponse {
    /** Size of a body whose content-length was not set with `setHeader`, in bytes. */
    bodyBytes?: number
    /** Alternating names and values of the constant headers that Node has not stored, or of a head that was sent. */
    unstored?: readonly string[] | undefined
    /** `x-request-id`, which Node has not stored either. */
    unstoredId?: string | undefined
  }
}

/** Responses without a body. Express decides about them. */
const BODILESS = new Set([204, 205, 304])

const ID = 'x-request-id'

type Method = (...args: never[]) => unknown

/**
 * Makes `res.json` write head and body at once when the response has no headers but those of one of the maps in
 * `constants` and `x-request-id`, and the request is not conditional. These headers are not stored in the response.
 * Any other use of its headers stores them first, so that setting, reading and removing work as in Node.
 */
export function sendJsonAtOnce(app: Express, constants: readonly ReadonlyMap<string, string>[] = []): void {
  const fieldsByMap = new Map<unknown, readonly string[]>(constants.map((headers) => [headers, [...headers].flat()]))
  const node = ServerResponse.prototype
  const { json } = app.response

  /** Returns a message that stores the headers: the response, or a copy after a head that was never stored. */
  function storeHeaders(res: ServerResponse): ServerResponse {
    const { unstored, unstoredId } = res
    if (unstored === undefined) return res
    const message = res.headersSent ? new ServerResponse(res.req) : res
    if (message === res) Object.assign(res, { unstored: undefined, unstoredId: undefined })
    for (let index = 0; index < unstored.length; index += 2) {
      node.setHeader.call(message, unstored[index] ?? '', unstored[index + 1] ?? '')
    }
    if (unstoredId !== undefined) node.setHeader.call(message, ID, unstoredId)
    return message
  }

  const write = (method: Method) =>
    function (this: ServerResponse, ...args: unknown[]) {
      storeHeaders(this)
      return method.apply(this, args as never)
    }
  const read = (method: Method) =>
    function (this: ServerResponse, ...args: unknown[]) {
      return method.apply(storeHeaders(this), args as never)
    }
  const setHeader = write(node.setHeader)
  const setHeaders = write(node.setHeaders)
  const writeHead = write(node.writeHead)

  Object.assign(app.response, {
    appendHeader: write(node.appendHeader),
    removeHeader: write(node.removeHeader),
    writeHead,
    getHeader: read(node.getHeader),
    getHeaders: read(node.getHeaders),
    getHeaderNames: read(node.getHeaderNames),
    getRawHeaderNames: read(ClientRequest.prototype.getRawHeaderNames),
    hasHeader: read(node.hasHeader),
    setHeaders(this: Response, headers: unknown) {
      const fields = fieldsByMap.get(headers)
      if (fields === undefined || this.unstored !== undefined || node.getHeaderNames.call(this).length > 0) {
        return setHeaders.call(this, headers)
      }
      this.unstored = fields
      return this
    },
    setHeader(this: Response, name: string, value: unknown) {
      const isFirstId = name === ID && this.unstored !== undefined && this.unstoredId === undefined
      if (!isFirstId || typeof value !== 'string') return setHeader.call(this, name, value)
      validateHeaderValue(name, value)
      this.unstoredId = value
      return this
    },
    json(this: Response, body: unknown) {
      const isPlain =
        node.getHeaderNames.call(this).length === 0 &&
        this.req.headers['if-none-match'] === undefined &&
        !BODILESS.has(this.statusCode) &&
        // A package that changes the head, such as compression, has replaced the method.
        (this.writeHead as unknown) === writeHead
      const text = isPlain ? JSON.stringify(body) : undefined
      if (text === undefined) return json.call(this, body)
      const bytes = Buffer.byteLength(text)
      const { unstored = [], unstoredId } = this
      const fields = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(bytes)]
      const head = unstoredId === undefined ? unstored.concat(fields) : unstored.concat(ID, unstoredId, fields)
      node.writeHead.call(this, this.statusCode, head)
      this.unstored = head
      this.unstoredId = undefined
      this.bodyBytes = bytes
      // Node sends head and body in one piece, and encodes ASCII faster as latin1.
      this.end(text, bytes === text.length ? 'latin1' : 'utf8')
      return this
    },
  })
}
