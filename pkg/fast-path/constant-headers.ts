import { ClientRequest, OutgoingMessage, ServerResponse } from 'node:http'
import type { Express } from 'express'

/** Headers that a response sends although none of them is stored in it yet. */
interface Deferred {
  /** Names and values in turn. */
  readonly fields: readonly string[]
  requestId?: string
  /** Names and values of the head that was sent, in turn. */
  sent?: readonly string[]
}

type DeferringResponse = ServerResponse & { deferred?: Deferred | undefined }

/**
 * Sends the headers of `constants` and `x-request-id` without storing each of them in each response. Any other use of
 * the headers of a response stores them first, so that setting, reading and removing work as in Node.
 */
export function deferConstantHeaders(app: Express, constants: readonly ReadonlyMap<string, string>[]): void {
  const fieldsByMap = new Map(constants.map((headers) => [headers, [...headers].flat()]))
  const node = OutgoingMessage.prototype

  function setFields(response: ServerResponse, fields: readonly string[]): void {
    for (let index = 0; index < fields.length; index += 2) {
      node.setHeader.call(response, fields[index] ?? '', fields[index + 1] ?? '')
    }
  }

  const listFields = ({ fields, requestId }: Deferred, others: readonly string[] = []) =>
    fields.concat(requestId === undefined ? [] : ['x-request-id', requestId], others)

  function store(response: DeferringResponse): void {
    const { deferred } = response
    if (deferred === undefined || response.headersSent) return
    response.deferred = undefined
    setFields(response, listFields(deferred))
  }

  /** Stores the deferred headers before a method of Node runs. */
  const storeFirst = (method: (...args: never[]) => unknown) =>
    function (this: DeferringResponse, ...args: never[]) {
      store(this)
      return method.apply(this, args)
    }

  /** Reads the headers of a sent head from a message that stores them. */
  const read = (method: (...args: never[]) => unknown) =>
    function (this: DeferringResponse, ...args: never[]) {
      store(this)
      if (this.deferred?.sent === undefined) return method.apply(this, args)
      const copy = new ServerResponse(this.req)
      setFields(copy, this.deferred.sent)
      return method.apply(copy, args)
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
    getHeader: read(node.getHeader),
    getHeaders: read(node.getHeaders),
    getHeaderNames: read(node.getHeaderNames),
    getRawHeaderNames: read(ClientRequest.prototype.getRawHeaderNames),
    hasHeader: read(node.hasHeader),
    removeHeader: storeFirst(node.removeHeader),
    writeHead(this: DeferringResponse, status: number, ...args: unknown[]) {
      const { deferred } = this
      const [fields] = args
      if (deferred !== undefined && isJsonHead(fields) && !this.headersSent) {
        const sent = listFields(deferred, fields)
        deferred.sent = sent
        return ServerResponse.prototype.writeHead.call(this, status, sent)
      }
      store(this)
      return ServerResponse.prototype.writeHead.apply(this, [status, ...args] as never)
    },
  })
}

const SANE = /^[A-Za-z0-9._-]{1,128}$/

/** Whether these are the fields of `sendJsonAtOnce`. Other fields may have the name of a constant header. */
const isJsonHead = (fields: unknown): fields is string[] =>
  Array.isArray(fields) && fields.length === 4 && fields[0] === 'Content-Type' && fields[2] === 'Content-Length'
