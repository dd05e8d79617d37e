import type { Schema } from './operation.ts'

/** The validated parts of a request. */
export type Source = 'query' | 'headers' | 'body'

/** One invalid field of a request, as `errors` of `invalid_input` lists it. */
export interface FieldError {
  readonly in: Source
  /** Names and positions joined by dots, cut to MAX_FIELD_LENGTH; empty when the whole value is invalid. */
  readonly field: string
  readonly message: string
}

/** The body limit alone limits the name of an unknown field. */
export const MAX_FIELD_LENGTH = 200

/** Returns one entry for each invalid field and for each unknown field. */
export function fieldErrors(source: Source, schema: Schema, value: unknown): FieldError[] {
  const { error } = schema.safeParse(value)
  const errors = new Map<string, FieldError>()
  for (const issue of error?.issues ?? []) {
    const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path]
    for (const path of paths) {
      const field = path.join('.').slice(0, MAX_FIELD_LENGTH)
      const message = issue.code === 'unrecognized_keys' ? 'Unknown field' : issue.message
      if (!errors.has(field)) errors.set(field, { in: source, field, message })
    }
  }
  return [...errors.values()]
}
