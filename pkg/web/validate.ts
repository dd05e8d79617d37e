import type { Request, RequestHandler } from 'express'
import { safeParse } from 'zod/mini'
import type { Source } from './field-errors.ts'
import type { OperationDescription, Schema } from './operation.ts'
import { failure } from './problem.ts'

type Checked = readonly [Source, Schema]

const SOURCES: readonly Source[] = ['query', 'headers', 'body']

/** More than a form has fields; a body of a hundred kilobytes can have thousands that nobody knows. */
const MAX_ERRORS = 100

/** If-Match where it is needed comes before the rest: without it nobody knows what would be changed (RFC 6585 §3). */
async function refuse(req: Request, failed: readonly Checked[]): Promise<never> {
  // The words are loaded with the first mistake.
  const { fieldErrors } = await import('./field-errors.ts')
  const errors = failed.flatMap(([source, schema]) => fieldErrors(source, schema, req[source]))
  throw errors.some(({ in: source, field }) => source === 'headers' && field === 'if-match')
    ? failure('precondition_required')
    : failure('invalid_input', { errors: errors.slice(0, MAX_ERRORS) })
}

/**
 * Holds a request against the schemas of an operation and puts what they make of it in the place of the raw values.
 * What names no thing (a malformed id in the path) is not found. Undefined where there is nothing to check.
 */
export function validate({ params, ...schemas }: OperationDescription): RequestHandler | undefined {
  const sources = SOURCES.flatMap((source): Checked[] => {
    const schema = schemas[source]
    return schema === undefined ? [] : [[source, schema]]
  })
  if (params === undefined && sources.length === 0) return undefined

  return function validate(req, _res, next) {
    if (params) {
      const { success, data } = safeParse(params, req.params)
      if (!success) throw failure('not_found')
      req.params = data as Request['params']
    }
    const failed = sources.filter(([source, schema]) => {
      const { success, data } = safeParse(schema, req[source])
      // Express computes `query` at each look.
      if (success && source !== 'headers') {
        Object.defineProperty(req, source, { value: data, configurable: true, writable: true })
      }
      return !success
    })
    return failed.length === 0 ? next() : refuse(req, failed)
  }
}
