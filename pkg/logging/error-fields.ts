import { withoutCredentials } from './credentials.ts'
import { scrub } from './redact.ts'

/** Properties that `renderError` leaves out, because the rest of the stack trace contains them. */
const SHOWN = new Set(['name', 'message', 'stack', 'cause', 'errors'])

/** Properties of PostgreSQL's errors that contain values of rows, such as "Failing row contains (…)". */
const ROW_VALUES = new Set(['detail', 'where'])

/** Highest number of rendered causes, which include the members of an AggregateError. */
const MAX_CAUSES = 10

/**
 * Longest message, longest stack and longest properties of an error or of a cause, in characters. The output drops a
 * longer line than its buffer, so an error with a large response would have no line.
 */
const MAX_TEXT = 16_384

/**
 * Longest `error.stack_trace`, in characters. In JSON, a character takes up to six bytes, so a line stays below 512 kB.
 * The shipper of the log splits a longer line.
 */
const MAX_TRACE = 65_536

const cut = (text: string, max = MAX_TEXT) => (text.length > max ? `${text.slice(0, max)}…` : text)

/**
 * Returns the fields of the Elastic Common Schema for a thrown value: `error.type`, `error.message`, `error.code` when
 * the value has a code, and `error.stack_trace` with the properties and the causes of the error. Credentials are masked.
 */
export function errorFields(thrown: unknown): Readonly<Record<string, string>> {
  if (!Error.isError(thrown)) return { 'error.type': typeof thrown, 'error.message': renderValue(thrown) }
  const { code } = thrown as { readonly code?: unknown }
  return {
    'error.type': thrown.constructor?.name || thrown.name,
    'error.message': cut(withoutCredentials(String(thrown.message))),
    ...((typeof code === 'string' || typeof code === 'number') && { 'error.code': String(code) }),
    'error.stack_trace': cut(renderError(thrown, new Set()), MAX_TRACE),
  }
}

/** Renders the stack, the properties as JSON in a line below it, and the causes. */
function renderError(error: Error, seen: Set<unknown>): string {
  seen.add(error)
  const isOuter = seen.size === 1
  const isOmitted = (name: string) =>
    SHOWN.has(name) || (isOuter && name === 'code') || ('severity' in error && ROW_VALUES.has(name))
  const own = Object.entries(error).filter(([name, value]) => value !== undefined && !isOmitted(name))
  const properties = own.length === 0 ? '' : `\n    ${cut(JSON.stringify(scrub(Object.fromEntries(own), 5)))}`
  const { cause, errors } = error as { readonly cause?: unknown; readonly errors?: unknown }
  const causes = [...(cause === undefined ? [] : [cause]), ...(Array.isArray(errors) ? errors : [])]
  let rendered = `${cut(withoutCredentials(String(error.stack || error)))}${properties}`
  for (const each of causes) {
    if (seen.has(each) || seen.size > MAX_CAUSES) continue
    seen.add(each)
    rendered += `\ncaused by: ${Error.isError(each) ? renderError(each, seen) : renderValue(each)}`
  }
  return rendered
}

const renderValue = (value: unknown) =>
  cut(typeof value === 'object' && value !== null ? JSON.stringify(scrub(value, 5)) : withoutCredentials(String(value)))
