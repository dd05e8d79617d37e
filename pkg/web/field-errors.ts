import * as z from 'zod/mini'
import en from 'zod/v4/locales/en.js'
import type { Schema } from './operation.ts'

/** What of a request is held against a schema of its operation. */
export type Source = 'query' | 'headers' | 'body'

/** One invalid field of a request: what `errors` of `invalid_input` lists. */
export interface FieldError {
  readonly in: Source
  /** Names and positions joined by dots; empty for the whole. */
  readonly field: string
  readonly message: string
}

/** One entry a field, and one for each field that is not known. */
export function fieldErrors(source: Source, schema: Schema, value: unknown): FieldError[] {
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
