import { withoutCredentials } from './credentials.ts'

const SECRET_KEYS = new Set([
  'authorization',
  'cookie',
  'set-cookie',
  'password',
  'secret',
  'token',
  'apikey',
  'x-api-key',
])

/** Longest name in `SECRET_KEYS`, in characters. Most names are longer and need no lookup. */
const MAX_SECRET_KEY = 13

const isSecret = (key: string) => key.length <= MAX_SECRET_KEY && SECRET_KEYS.has(key.toLowerCase())

/** Returns whether a value is a request, a response, a socket or another stream. Their properties contain every header. */
const isStream = (value: object) => 'pipe' in value && typeof value.pipe === 'function'

/**
 * Masks the fields that may hold a credential, down to `levels` levels below the top. Returns the same object when
 * there are none. The top-level field `untouched` is not masked. pino's own redaction takes ten times as long as
 * writing the line.
 */
export function redact(fields: object, levels: number, untouched = ''): object {
  let copy: Record<string, unknown> | undefined
  for (const key in fields) {
    const value: unknown = fields[key as keyof typeof fields]
    if (value === undefined || key === untouched) continue
    const shown = isSecret(key) ? '***' : redactValue(value, levels)
    if (shown === value) continue
    copy ??= (Array.isArray(fields) ? [...fields] : { ...fields }) as Record<string, unknown>
    copy[key] = shown
  }
  return copy ?? fields
}

function redactValue(value: unknown, levels: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isStream(value)) return '…'
  if (levels === 0) return value
  if (Error.isError(value)) return scrub({ ...value, message: value.message, stack: value.stack }, 5)
  if (!('toJSON' in value) || typeof value.toJSON !== 'function') return redact(value, levels - 1)
  const json: unknown = value.toJSON()
  return typeof json === 'object' && json !== null ? redact(json, levels - 1) : value
}

/** Masks the credentials in the texts of a value and its fields, down to `levels` levels. The result is valid JSON. */
export function scrub(value: unknown, levels: number): unknown {
  if (typeof value === 'string') return withoutCredentials(value)
  if (typeof value === 'bigint') return String(value)
  // JSON.stringify would call a property `toJSON`.
  if (typeof value === 'function') return undefined
  if (typeof value !== 'object' || value === null) return value
  if (levels === 0 || ArrayBuffer.isView(value) || isStream(value)) return '…'
  if (Array.isArray(value)) return value.map((item) => scrub(item, levels - 1))
  if (Error.isError(value)) return withoutCredentials(String(value))
  const fields = Object.entries(value)
  return Object.fromEntries(fields.map(([key, field]) => [key, isSecret(key) ? '***' : scrub(field, levels - 1)]))
}
