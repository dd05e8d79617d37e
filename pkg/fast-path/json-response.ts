import { ServerResponse, validateHeaderName, validateHeaderValue } from 'node:http'
import type { Express, Response } from 'express'

declare module 'http' {
  interface ServerResponse {
    /** Size of a body whose content-length was not set with `setHeader`, in bytes. */
    bodyBytes?: number
    /** Headers that are not stored in the response yet, as alternating names and values. */
    unstored?: string[] | undefined
  }
}

/** Statuses without a body. `res.json` of Express handles them. */
const BODILESS = new Set([204, 205, 304])

/** Headers that frame the body. `res.json` and Node set them. */
const FRAMING = new Set(['connection', 'content-length', 'content-type', 'date', 'trailer', 'transfer-encoding'])

/** Returns whether alternating names and values contain a name in lower case. */
function hasField(fields: readonly string[], name: string): boolean {
  for (let index = 0; index < fields.length; index += 2) {
    const field = fields[index]
    if (field?.length === name.length && field.toLowerCase() === name) return true
  }
  return false
}

/** Methods of a response that use its headers. */
const READERS = ['getHeader', 'getHeaders', 'getHeaderNames', 'getRawHeaderNames', 'hasHeader'] as const
const WRITERS = ['appendHeader', 'removeHeader', 'setHeader', 'setHeaders', 'writeHead'] as const

type Method = (this: ServerResponse, ...args: unknown[]) => unknown

/**
 * Makes `res.json` write head and body at once, unless the request is conditional. The headers of a map in `constants`,
 * and further headers that are set once, are not stored in the response until other code uses its headers. So setting,
 * reading and removing headers work as in Node.
 */
export function sendJsonAtOnce(app: Express, constants: readonly ReadonlyMap<string, string>[] = []): void {
  const fieldsByMap = new Map<unknown, readonly string[]>(constants.map((headers) => [headers, [...headers].flat()]))
  const node = ServerResponse.prototype
  const { json } = app.response

  /** Returns a response that stores the headers: `res`, or a copy of it when its head was sent without being stored. */
  function storeHeaders(res: ServerResponse): ServerResponse {
    const { unstored } = res
    if (unstored === undefined) return res
    const message = res.headersSent ? new ServerResponse(res.req) : res
    if (message === res) res.unstored = undefined
    for (let index = 0; index < unstored.length; index += 2) {
      node.setHeader.call(message, unstored[index] ?? '', unstored[index + 1] ?? '')
    }
    return message
  }

  const original = node as unknown as Record<(typeof READERS | typeof WRITERS)[number], Method>
  const methods = {} as typeof original
  for (const name of READERS) {
    methods[name] = function (...args) {
      return original[name].apply(storeHeaders(this), args)
    }
  }
  for (const name of WRITERS) {
    methods[name] = function (...args) {
      storeHeaders(this)
      return original[name].apply(this, args)
    }
  }

  Object.assign(app.response, methods, {
    setHeaders(this: Response, headers: unknown) {
      const fields = fieldsByMap.get(headers)
      if (fields === undefined || this.unstored !== undefined || node.getHeaderNames.call(this).length > 0) {
        return methods.setHeaders.call(this, headers)
      }
      this.unstored = [...fields]
      return this
    },
    setHeader(this: Response, name: string, value: unknown) {
      const { unstored } = this
      const field = String(name).toLowerCase()
      const isStored = unstored === undefined || this.headersSent
      if (isStored || typeof value !== 'string' || FRAMING.has(field) || hasField(unstored, field)) {
        return methods.setHeader.call(this, name, value)
      }
      validateHeaderName(name)
      validateHeaderValue(name, value)
      unstored.push(name, value)
      return this
    },
    json(this: Response, body: unknown) {
      const isPlain =
        node.getHeaderNames.call(this).length === 0 &&
        this.req.headers['if-none-match'] === undefined &&
        !BODILESS.has(this.statusCode) &&
        // A package that changes the head, such as compression, replaces this method.
        (this.writeHead as unknown) === methods.writeHead
      const text = isPlain ? JSON.stringify(body) : undefined
      if (text === undefined) return json.call(this, body)
      const bytes = Buffer.byteLength(text)
      const fields = ['Content-Type', 'application/json; charset=utf-8', 'Content-Length', String(bytes)]
      const head = this.unstored?.concat(fields) ?? fields
      node.writeHead.call(this, this.statusCode, head)
      this.unstored = head
      this.bodyBytes = bytes
      // Node encodes latin1 faster, with the same bytes for ASCII.
      this.end(text, bytes === text.length ? 'latin1' : 'utf8')
      return this
    },
  })
}
