import { describeCause, findCause } from './cause.ts'
import { describeSpan, type FinishedSpan } from './span.ts'

export interface RequestSummary {
  readonly requestId: string
  readonly traceId: string
  readonly spanId: string
  /** Method and route, such as `GET /v1/notes/:id`. */
  readonly name: string
  readonly path: string
  /** 0 when no response was sent. */
  readonly status: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly isFailed: boolean
  readonly error: string | undefined
  /** Its largest part, such as `database SELECT notes 300 ms of 312 ms`. */
  readonly cause: string
}

type Kind = 'pending' | 'slow' | 'failed' | 'latest'

/** A request id with its spans and log lines. A client that repeats an id has several requests in one entry. */
interface Entry {
  readonly requestId: string
  /** The finished requests, the latest one last. An entry without them is pending. */
  readonly requests: RequestSummary[]
  spans: FinishedSpan[]
  readonly lines: string[]
  /** Spans and lines that did not fit. */
  omitted: number
  kind: Kind
  bytes: number
}

/** The memory of each kind of entry, in bytes. */
const LIMITS = { pending: 400e3, slow: 600e3, failed: 600e3, latest: 600e3 }
/** Failed requests, and other requests, that are kept each second. The limit bounds the cost under load. */
const MAX_PER_SECOND = 20
/** The limits of one entry: bytes, and the number of spans and of lines. */
const MAX_BYTES = 64e3
const MAX_PARTS = 64
/** The limits of a line, and of the texts of a span: together, and of each when they are longer. In characters. */
const MAX_LINE = 8_192
const MAX_TEXTS = 2_048
const MAX_TEXT = 128
const MAX_ATTRIBUTES = 24
/** The memory of an entry, a span or a request without its texts, at most, in bytes. */
const OVERHEAD = 1_000
/** Slow requests are kept for 15 minutes. */
const SLOW_FOR_MS = 15 * 60_000

/** The slowest requests of a route that are listed, so that other routes have a place too. */
const MAX_PER_ROUTE = 5

const REQUEST_ID = '"http.request.id":"'

/** Copies a text, because a slice keeps the whole text in memory. */
const copy = (text: string, max = MAX_TEXT) => Buffer.from(text.slice(0, max)).toString()

function copySpan({ name, error, attributes, ...span }: FinishedSpan): FinishedSpan {
  const shown = Object.entries(attributes).slice(0, MAX_ATTRIBUTES)
  const copies = shown.map(([key, value]) => [copy(key), typeof value === 'string' ? copy(value, 2 * MAX_TEXT) : value])
  const attributesCopy: FinishedSpan['attributes'] = Object.fromEntries(copies)
  return { ...span, name: copy(name), error: error && copy(error, 2 * MAX_TEXT), attributes: attributesCopy }
}

function textLength({ name, error = '', attributes }: FinishedSpan): number {
  let length = name.length + error.length
  for (const key in attributes) {
    const value = attributes[key]
    length += key.length + (typeof value === 'string' ? value.length : 0)
  }
  return length
}

const isFailed = ({ error, attributes }: FinishedSpan) =>
  error !== undefined || Number(attributes['http.response.status_code']) >= 500

function summarize(requestId: string, span: FinishedSpan, children: readonly FinishedSpan[]): RequestSummary {
  const { traceId, spanId, name, startedAt, durationMs, attributes } = span
  const failure = children.find(({ error }) => error !== undefined)
  return {
    ...{ requestId, traceId, spanId, name, startedAt, durationMs, isFailed: isFailed(span) },
    path: String(attributes['url.path'] ?? ''),
    status: Number(attributes['http.response.status_code'] ?? 0),
    // The error of the innermost work names the cause.
    error: failure ? `${describeSpan(failure)}: ${failure.error}` : span.error,
    cause: describeCause(findCause(span, children), durationMs),
  }
}

/** Collects the spans and log lines of requests, and keeps the slowest, the failed and the latest in bounded memory. */
export function createRequests({ now = Date.now }: { readonly now?: () => number } = {}) {
  const entries = new Map<string, Entry>()
  const totals = { pending: 0, slow: 0, failed: 0, latest: 0 }
  let second = 0
  let admitted = { failed: 0, latest: 0 }
  /** No request that was dropped, or not kept, was slower. In milliseconds. */
  let threshold = 0

  const durationOf = ({ requests }: Entry) => Math.max(...requests.map(({ durationMs }) => durationMs))

  function drop(entry: Entry): void {
    totals[entry.kind] -= entry.bytes
    entries.delete(entry.requestId)
  }

  /** Adds to the size of an entry, and drops others of its kind: the fastest of the slow, the oldest of other kinds. */
  function grow(entry: Entry, size: number, kind = entry.kind): void {
    totals[entry.kind] -= entry.bytes
    entry.bytes += size
    entry.kind = kind
    totals[kind] += entry.bytes
    while (totals[kind] > LIMITS[kind]) {
      const others = [...entries.values()].filter((each) => each.kind === kind)
      if (kind === 'slow') others.sort((a, b) => durationOf(a) - durationOf(b))
      const dropped = others[0] as Entry
      if (kind === 'slow') threshold = durationOf(dropped)
      drop(dropped)
    }
  }

  function startSecond(): void {
    second = Math.floor(now() / 1e3)
    admitted = { failed: 0, latest: 0 }
    for (const entry of entries.values()) {
      if (entry.kind !== 'slow' || (entry.requests.at(-1)?.startedAt ?? 0) > now() - SLOW_FOR_MS) continue
      drop(entry)
      threshold = 0
    }
  }

  function findEntry(id: string): Entry {
    const requestId = id.length > MAX_TEXT ? copy(id) : id
    const found = entries.get(requestId)
    if (found !== undefined) return found
    const entry: Entry = { requestId, requests: [], spans: [], lines: [], omitted: 0, kind: 'pending', bytes: 0 }
    entries.set(requestId, entry)
    grow(entry, OVERHEAD)
    return entry
  }

  /** Adds a span or a line to an entry when it fits. */
  function add<Part>(entry: Entry, list: Part[], part: Part, size: number): void {
    if (entry.bytes + size > MAX_BYTES || list.length >= MAX_PARTS) {
      entry.omitted++
      return
    }
    list.push(part)
    grow(entry, size)
  }

  function addSpan(entry: Entry, span: FinishedSpan): void {
    add(entry, entry.spans, span, OVERHEAD + 2 * textLength(span))
  }

  function finish(requestId: string, given: FinishedSpan): void {
    if (Math.floor(now() / 1e3) !== second) startSecond()
    const kind = isFailed(given) ? 'failed' : given.durationMs > threshold ? 'slow' : 'latest'
    const isAdmitted = kind === 'slow' || admitted[kind]++ < MAX_PER_SECOND
    const found = isAdmitted ? findEntry(requestId) : entries.get(requestId)
    if (!isAdmitted && found?.kind === 'pending') drop(found)
    if (found === undefined || !isAdmitted) return
    const span = copySpan(given)
    found.spans = found.spans.map(copySpan)
    const summary = summarize(found.requestId, span, found.spans)
    addSpan(found, span)
    add(found, found.requests, summary, OVERHEAD + 2 * (summary.error?.length ?? 0))
    grow(found, 0, kind)
  }

  return {
    /** Takes a finished span: of a part of a request, or of the request itself. Ignores work outside of requests. */
    onSpan(span: FinishedSpan): void {
      const { requestId } = span
      if (requestId === undefined) return
      if (span.kind === 'server') finish(requestId, span)
      else addSpan(findEntry(requestId), textLength(span) > MAX_TEXTS ? copySpan(span) : span)
    },
    /** Takes a log line, which is JSON. Ignores lines that belong to no request. */
    onLine(given: string): void {
      const start = given.indexOf(REQUEST_ID)
      if (start < 0) return
      const from = start + REQUEST_ID.length
      const id = given.slice(from, given.indexOf('"', from))
      const isLong = given.length > MAX_LINE
      const entry = findEntry(isLong ? copy(id) : id)
      const line = isLong ? copy(given, MAX_LINE) : given
      add(entry, entry.lines, line, 50 + 2 * line.length)
    },
    /** Returns the `count` slowest of the last 15 minutes, the last failed, and the last of all requests. */
    list(count: number) {
      const all = [...entries.values()].flatMap(({ requests }) => requests)
      const latest = all.sort((a, b) => b.startedAt - a.startedAt)
      const failed = latest.filter((each) => each.isFailed)
      const recent = latest.filter(({ startedAt }) => startedAt > now() - SLOW_FOR_MS)
      const slowest = recent.sort((a, b) => b.durationMs - a.durationMs)
      const places = new Map<string, number>()
      const isShown = ({ name }: RequestSummary) => {
        places.set(name, (places.get(name) ?? 0) + 1)
        return (places.get(name) ?? 0) <= MAX_PER_ROUTE
      }
      return {
        slowest: slowest.filter(isShown).slice(0, count),
        failed: failed.slice(0, count),
        latest: latest.slice(0, count),
      }
    },
    /** Returns the entries of a request id or of a trace id. */
    find(id: string) {
      const isOf = ({ requestId, traceId }: RequestSummary) => requestId === id || traceId === id
      const found = [...entries.values()].filter(({ requests }) => requests.some(isOf))
      return found.map(({ requests, spans, lines, omitted }) => ({ requests, spans, lines, omitted }))
    },
  }
}
