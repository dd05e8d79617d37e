import type { Request, RequestHandler } from 'express'
import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import { fieldErrors, MAX_ERRORS, type Source } from './field-errors.ts'
import { describeBody, type OperationDescription, type Schema } from './operation.ts'

type Check = readonly [Source, Schema]

/** The query of an operation that declares none. */
const NO_PARAMETERS = z.strictObject({})

/** Returns the schema that also rejects unknown parameters, unless the operation accepts them with `z.looseObject()`. */
function strictQuery(query: Schema): Schema {
  // An object with a transformation is a pipe.
  if (query instanceof z.ZodPipe) return query.clone({ ...query.def, in: strictQuery(query.in as Schema) })
  return query instanceof z.ZodObject && query.def.catchall === undefined ? query.strict() : query
}

/** Rejects with `precondition_required` first when if-match is missing: no other error matters before it (RFC 6585 §3). */
function reject(req: Request, failed: readonly Check[]): never {
  const errors = failed.flatMap(([source, schema]) => fieldErrors(source, schema, req[source]))
  const isInvalid = errors.some(({ in: source, field }) => source === 'headers' && field === 'if-match')
  const lacksPrecondition = isInvalid && req.headers['if-match'] === undefined
  throw lacksPrecondition
    ? new CodedError('precondition_required')
    : new CodedError('invalid_input', { errors: errors.slice(0, MAX_ERRORS) })
}

/**
 * Validates a request against the schemas of its operation and replaces the raw values by the parsed ones. Invalid
 * path parameters are `not_found`. Returns undefined when the operation has no schema.
 *
 * An operation that declares its query, headers or body rejects unknown parameters of the query: a misspelt filter must
 * not return the whole list, nor may a write ignore an option.
 */
export function validate(operation: OperationDescription): RequestHandler | undefined {
  const { params, query, headers } = operation
  const body = describeBody(operation)
  const parts = {
    query: query && strictQuery(query),
    headers,
    body: body && 'schema' in body ? body.schema : undefined,
  }
  const checks = Object.entries(parts).filter((check): check is [Source, Schema] => check[1] !== undefined)
  if (params === undefined && checks.length === 0) return undefined
  const rejectsQuery = query === undefined && checks.length > 0

  return function validate(req, _res, next) {
    if (params) {
      const { success, data } = params.safeParse(req.params)
      if (!success) throw new CodedError('not_found')
      req.params = data as Request['params']
    }
    const failed = checks.filter(([source, schema]) => {
      const { success, data } = schema.safeParse(req[source])
      // Express computes `query` on each access, so the parsed value needs a property of its own.
      if (success && source !== 'headers') {
        Object.defineProperty(req, source, { value: data, configurable: true, writable: true })
      }
      return !success
    })
    if (rejectsQuery && req.url.includes('?') && !NO_PARAMETERS.safeParse(req.query).success) {
      failed.unshift(['query', NO_PARAMETERS])
    }
    if (failed.length > 0) reject(req, failed)
    next()
  }
}
