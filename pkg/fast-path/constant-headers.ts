import { OutgoingMessage, ServerResponse } from 'node:http'
import type { Express } from 'express'

/** Headers that a response sends although none of them is stored in it yet. */
interface Deferred {
  /** Names and values in turn. */
  readonly fields: readonly string[]
  requestId?: string
}

type DeferringResponse = ServerResponse & { deferred?: Deferred | undefined }

/**
 * Sends the headers of `constants` and `x-request-id` without storing each of them in each response. Any other use of
 * the headers of a response stores them first, so that setting, reading and removing work as in Node.
 */
export function deferConstantHeaders(app: Express, constants: readonly ReadonlyMap<string, string>[]): void {
  const fieldsByMap = new Map(constants.map((headers) => [headers, [...headers].flat()]))
  const node = OutgoingMessage.prototype

  function store(response: DeferringResponse): void {
    const { deferred } = response
    if (deferred === undefined || response.headersSent) return
    response.deferred = undefined
    const { fields, requestId } = deferred
    for (let index = 0; index < fields.length; index += 2) {
      node.setHeader.call(response, fields[index] ?? '', fields[index + 1] ?? '')
    }
    if (requestId !== undefined) node.setHeader.call(response, 'x-request-id', requestId)
  }

  /** Stores the deferred headers before a method of Node runs. */
  const storeFirst = (method: (...args: never[]) => unknown) =>
    function (this: DeferringResponse, ...args: never[]) {
      store(this)
      return method.apply(this, args)
    }

  Object.assign(app.response, {
    deferred: undefined,
    setHeaders(this: DeferringResponse, headers: Map<string, string>) {
      const fields = fieldsByMap.get(headers)
      if (fields !== undefined && this.deferred === undefined && node.getHeaderNames.call(this).length === 0) {
        this.deferred = { fields }
        return this
      }
      store(this)
      return node.setHeaders.call(this, headers)
    },
    setHeader(this: DeferringResponse, name: string, value: string) {
      const { deferred } = this
      // requestId() has checked the value, so it needs no validation by Node.
      if (deferred !== undefined && name === 'x-request-id' && deferred.requestId === undefined && SANE.test(value)) {
        deferred.requestId = value
        return this
      }
      store(this)
      return node.setHeader.call(this, name, value)
    },
    appendHeader: storeFirst(node.appendHeader),
    getHeader: storeFirst(node.getHeader),
    getHeaders: storeFirst(node.getHeaders),
    getHeaderNames: storeFirst(node.getHeaderNames),
    hasHeader: storeFirst(node.hasHeader),
    removeHeader: storeFirst(node.removeHeader),
    writeHead(this: DeferringResponse, status: number, ...args: unknown[]) {
      const { deferred } = this
      const [fields = []] = args
      if (deferred !== undefined && Array.isArray(fields) && !this.headersSent) {
        const { fields: constants, requestId } = deferred
        const id = requestId === undefined ? [] : ['x-request-id', requestId]
        return ServerResponse.prototype.writeHead.call(this, status, [...constants, ...id, ...fields])
      }
      store(this)
      return ServerResponse.prototype.writeHead.apply(this, [status, ...args] as never)
    },
  })
}

const SANE = /^[A-Za-z0-9._-]{1,128}$/
