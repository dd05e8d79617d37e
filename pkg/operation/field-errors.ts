import type { Schema } from './operation.ts'

/** The validated parts of a request. */
export type Source = 'query' | 'headers' | 'body'

/** One invalid field of a request, as `errors` of `invalid_input` lists it. */
export interface FieldError {
  readonly in: Source
  /** Names and positions joined by dots; empty when the whole value is invalid. */
  readonly field: string
  readonly message: string
}

/** A hostile body of 100 kB can have thousands of unknown fields. No form has that many. */
export const MAX_ERRORS = 100

/** Longest name and longest message of a field. An unknown field may have any name. */
export const MAX_TEXT = 1_000

/** Returns one entry for each invalid field and for each unknown field. */
export function fieldErrors(source: Source, schema: Schema, value: unknown): FieldError[] {
  const { error } = schema.safeParse(value)
  const errors = new Map<string, FieldError>()
  for (const issue of error?.issues ?? []) {
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    for (const path of paths) {
      const field = path.join('.').slice(0, MAX_TEXT)
      const unknown = source === 'query' ? 'Unknown parameter' : 'Unknown field'
      const message = issue.code === 'unrecognized_keys' ? unknown : issue.message.slice(0, MAX_TEXT)
      if (!errors.has(field)) errors.set(field, { in: source, field, message })
    }
  }
  return [...errors.values()]
}
