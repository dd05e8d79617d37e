/** https://www.w3.org/TR/trace-context/ */
export interface TraceContext {
  /** 32 hexadecimal digits. All spans of a trace have the same id, in every service. */
  readonly traceId: string
  /** 16 hexadecimal digits: the id of the current span. */
  readonly spanId: string
  /** The id of the span that contains the current span. Undefined for the first span of a trace. */
  readonly parentId: string | undefined
  /** True when the spans of the trace are recorded. */
  readonly sampled: boolean
  /** The `tracestate` of the caller, within the limits of the specification. */
  readonly state: string | undefined
}

export interface Traceparent {
  readonly traceId: string
  readonly parentId: string
  readonly sampled: boolean
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/
const ONLY_ZEROS = /^0+$/

/** Parses a `traceparent`. Returns undefined when it is invalid. */
export function parseTraceparent(header: string): Traceparent | undefined {
  const [, version, traceId = '', parentId = '', flags = '', rest] = TRACEPARENT.exec(header) ?? []
  if (version === undefined || version === 'ff') return undefined
  // A later version may append fields, but the first four keep their meaning.
  if (version === '00' && rest !== undefined) return undefined
  if (ONLY_ZEROS.test(traceId) || ONLY_ZEROS.test(parentId)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export const formatTraceparent = (traceId: string, spanId: string, sampled: boolean) =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`

const MAX_MEMBERS = 32
/** The length that the specification requires every service to pass on, in characters. */
const MAX_STATE = 512
/** When a `tracestate` is too long, members longer than this are removed first, in characters. */
const LONG_MEMBER = 128
const OTHER_CHARACTER = /[^\t -~]/
const MEMBER =
  /^([a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})=[ -+\--<>-~]{0,255}[!-+\--<>-~]$/

/** Returns a valid `tracestate` of at most 512 characters, or undefined when it is invalid or empty. */
export function parseTracestate(header: string): string | undefined {
  // `trim` would remove other white space than the specification permits. An expression for the end would be quadratic.
  if (OTHER_CHARACTER.test(header)) return undefined
  const members = header.split(',').flatMap((member) => member.trim() || [])
  const keys = new Set(members.map((member) => MEMBER.exec(member)?.[1]))
  if (keys.has(undefined) || keys.size < members.length || keys.size > MAX_MEMBERS) return undefined
  const isTooLong = (all: readonly string[]) => all.join().length > MAX_STATE
  const kept = isTooLong(members) ? members.filter(({ length }) => length <= LONG_MEMBER) : members
  while (isTooLong(kept)) kept.pop()
  return kept.join() || undefined
}

export interface Ids {
  readonly traceId: string
  readonly spanId: string
}

/** Creates random ids. They must be unique but not secret, and loading `node:crypto` takes a tenth of a start. */
export function createIds(): { mint(): Ids; mintSpanId(): string } {
  const words = new Uint32Array(6)
  const bytes = Buffer.from(words.buffer)
  function fill(count: number): void {
    for (let index = 0; index < count; index++) words[index] = Math.random() * 2 ** 32
    // An id of zeros only is invalid.
    if (words[0] === 0) words[0] = 1
    if (words[4] === 0) words[4] = 1
  }
  return {
    mint() {
      fill(6)
      const digits = bytes.toString('hex')
      return { traceId: digits.slice(0, 32), spanId: digits.slice(32) }
    },
    mintSpanId() {
      fill(2)
      return bytes.toString('hex', 0, 8)
    },
  }
}
