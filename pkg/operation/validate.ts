import type { Request, RequestHandler } from 'express'
import * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import type { OperationDescription, Schema } from './operation.ts'

declare global {
  namespace Express {
    interface Request {
      /** The body as the client sent it, without the defaults of its schema. Set by an operation with a schema. */
      receivedBody?: unknown
    }
  }
}

type Source = 'query' | 'headers' | 'body'

/** One invalid field of a request, as `errors` of `invalid_input` lists it. */
export interface FieldError {
  readonly in: Source
  /** Names and positions joined by dots; empty when the whole value is invalid. */
  readonly field: string
  readonly message: string
}

/** The query of an operation that declares none. */
const NO_PARAMETERS = z.strictObject({})

/**
 * Returns the schema that also rejects unknown parameters, unless the operation accepts them with `z.looseObject()`.
 */
function strictQuery(query: Schema): Schema {
  // A transformed object schema is a pipe.
  if (query instanceof z.ZodPipe) return query.clone({ ...query.def, in: strictQuery(query.in as Schema) })
  return query instanceof z.ZodObject && query.def.catchall === undefined ? query.strict() : query
}

/** Maximum number of errors in a response. A hostile body of 100 kB can have thousands of unknown fields. */
export const MAX_ERRORS = 100

/** Longest name and longest message of a field. An unknown field may have any name. */
export const MAX_TEXT = 1_000

/**
 * Validates a request against the schemas of its operation and replaces the raw values by the parsed ones. Invalid
 * path parameters are `not_found`. Returns undefined when the operation has no schema.
 *
 * An operation that declares its query, headers or body rejects unknown parameters of the query: otherwise a misspelt
 * filter would return the whole list, and a write would ignore an option.
 */
export function validate({ params, query, headers, body }: OperationDescription): RequestHandler | undefined {
  const bodySchema = body && 'schema' in body ? body.schema : undefined
  const sources = { query: query && strictQuery(query), headers, body: bodySchema }
  const checks = Object.entries(sources).filter((check): check is [Source, Schema] => check[1] !== undefined)
  if (params === undefined && checks.length === 0) return undefined
  const rejectsQuery = query === undefined && checks.length > 0

  return function validate(req, _res, next) {
    if (params) {
      const { success, data } = params.safeParse(req.params)
      if (!success) throw new CodedError('not_found')
      req.params = data as Request['params']
    }
    let errors: FieldError[] = []
    for (const [source, schema] of checks) {
      const { error, data } = schema.safeParse(req[source])
      if (error) {
        errors = errors.concat(listFieldErrors(source, error.issues))
      } else if (source !== 'headers') {
        if (source === 'body') req.receivedBody = req.body
        // Express computes `query` on each access, so the parsed value needs a property of its own.
        Object.defineProperty(req, source, { value: data, configurable: true, writable: true })
      }
    }
    if (rejectsQuery && req.url.includes('?')) {
      const { error } = NO_PARAMETERS.safeParse(req.query)
      if (error) errors = listFieldErrors('query', error.issues).concat(errors)
    }
    if (errors.length === 0) return next()
    const isIfMatchInvalid = errors.some(({ in: source, field }) => source === 'headers' && field === 'if-match')
    // A missing if-match comes before other errors (RFC 6585 §3).
    if (isIfMatchInvalid && req.headers['if-match'] === undefined) throw new CodedError('precondition_required')
    throw new CodedError('invalid_input', { errors: errors.slice(0, MAX_ERRORS) })
  }
}

/** Returns one entry for each invalid field and for each unknown field. */
function listFieldErrors(source: Source, issues: readonly z.core.$ZodIssue[]): FieldError[] {
  const errors = new Map<string, FieldError>()
  for (const issue of issues) {
    const isUnknown = issue.code === 'unrecognized_keys'
    const paths = isUnknown ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    const unknown = source === 'query' ? 'Unknown parameter' : 'Unknown field'
    const message = isUnknown ? unknown : issue.message.slice(0, MAX_TEXT)
    for (const path of paths) {
      const field = path.join('.').slice(0, MAX_TEXT)
      if (!errors.has(field)) errors.set(field, { in: source, field, message })
    }
  }
  return [...errors.values()]
}
