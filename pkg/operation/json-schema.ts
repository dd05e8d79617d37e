import * as z from 'zod'
import type { Schema } from './operation.ts'

export type Json = Readonly<Record<string, unknown>>

/** Longest text of each format. */
const MAX_LENGTHS: Readonly<Record<string, number>> = { uuid: 36, date: 10, 'date-time': 35 }

/** Adds the limits that follow from a format or a range, because client generators and gateways use them. */
function addLimits({ jsonSchema }: { readonly jsonSchema: z.core.JSONSchema.BaseSchema }): void {
  const { type, format = '', minimum = -Infinity, maximum = Infinity } = jsonSchema
  if (type === 'integer') jsonSchema.format ??= minimum >= -(2 ** 31) && maximum < 2 ** 31 ? 'int32' : 'int64'
  const maxLength = MAX_LENGTHS[format]
  if (type === 'string' && maxLength !== undefined) jsonSchema.maxLength ??= maxLength
}

/** Renders the values that a schema accepts (`input`) or returns (`output`). */
export function renderSchema(schema: Schema, io: 'input' | 'output'): z.core.JSONSchema.BaseSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, override: addLimits })
  return rest
}

/** Any text that a header can carry. */
export const HEADER_TEXT = { type: 'string', maxLength: 8_192, pattern: '^[\\t\\x20-\\x7e\\x80-\\xff]*$' }
