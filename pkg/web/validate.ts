import type { Request, RequestHandler } from 'express'
import * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import type { OperationDescription, Schema } from './operation.ts'

/** One invalid field of a request: what `errors` of `invalid_input` lists. */
export interface FieldError {
  readonly in: Source
  /** Names and positions joined by dots; empty for the whole. */
  readonly field: string
  readonly message: string
}

const SOURCES = ['query', 'headers', 'body'] as const
type Source = (typeof SOURCES)[number]

const fail = (code: string, details?: object) => Object.assign(new Error(code), { code, ...details })

/** One entry a field, and one for each field that is not known. */
function fieldErrors(source: Source, schema: Schema, value: unknown): FieldError[] {
  const { error } = z.safeParse(schema, value, { error: en().localeError })
  const errors = new Map<string, FieldError>()
  for (const issue of error?.issues ?? []) {
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    for (const path of paths) {
      const field = path.join('.')
      const message = issue.code === 'unrecognized_keys' ? 'Not a known field' : issue.message
      if (!errors.has(field)) errors.set(field, { in: source, field, message })
    }
  }
  return [...errors.values()]
}

/**
 * Holds a request against the schemas of an operation and puts what they make of it in the place of the raw values.
 * What names no thing (a malformed id in the path) is not found; If-Match where it is needed comes before the rest,
 * because without it nobody knows what the body would change (RFC 6585 §3).
 */
export function validate({ params, ...schemas }: OperationDescription): RequestHandler | undefined {
  const sources = SOURCES.flatMap((source): [Source, Schema][] => {
    const schema = schemas[source]
    return schema === undefined ? [] : [[source, schema]]
  })
  if (params === undefined && sources.length === 0) return undefined

  return function validate(req, _res, next) {
    if (params) {
      const { success, data } = z.safeParse(params, req.params)
      if (!success) throw fail('not_found')
      req.params = data as Request['params']
    }
    const errors = sources.flatMap(([source, schema]) => {
      const value: unknown = req[source]
      const { success, data } = z.safeParse(schema, value)
      if (!success) return fieldErrors(source, schema, value)
      // Express computes `query` at each look.
      if (source !== 'headers') Object.defineProperty(req, source, { value: data, configurable: true, writable: true })
      return []
    })
    if (errors.some(({ field }) => field === 'if-match')) throw fail('precondition_required')
    if (errors.length > 0) throw fail('invalid_input', { errors })
    next()
  }
}
