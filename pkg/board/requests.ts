import { findCause } from './cause.ts'
import { describeSpan, type FinishedSpan, isFailed } from './span.ts'

export interface RequestSummary {
  readonly requestId: string
  readonly traceId: string
  readonly spanId: string
  /** Method and route, such as `GET /v1/items/{id}`. */
  readonly name: string
  readonly path: string
  /** 0 when no response was sent. */
  readonly status: number
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  readonly durationMs: number
  readonly isFailed: boolean
  readonly error: string | undefined
  /** The work that takes most of the duration, as `findCause` describes it. */
  readonly cause: string
}

/** The data of a request id. A client that repeats an id has several requests in one entry. */
interface Entry {
  readonly requestId: string
  /** The finished requests. An entry without them is pending. */
  readonly requests: RequestSummary[]
  /** JSON texts: a text takes less memory than an object, and keeps no longer text in memory. */
  readonly spans: string[]
  readonly lines: string[]
  /** Number of spans and lines that did not fit. */
  omitted: number
  kind: 'pending' | 'slow' | 'failed' | 'latest'
  bytes: number
}

/** Maximum memory for each kind of entry and for one entry, in bytes. */
const LIMITS = { pending: 400e3, slow: 700e3, failed: 700e3, latest: 1_000e3 }
const MAX_BYTES = 64e3
/** Estimate of the memory of an entry, or of a request, without its spans and lines, in bytes. */
const OVERHEAD = 1_000
/** Highest number of spans, and of lines, in an entry. */
const MAX_PARTS = 64
/**
 * Highest number of failed requests, and of other requests, that are kept each second. The limit bounds the cost under
 * load.
 */
const MAX_PER_SECOND = 20
const SLOW_FOR_MS = 15 * 60_000
/** Highest number of listed slow requests of a route, so that other routes have a place too. */
const MAX_PER_ROUTE = 5
const MAX_TEXT = 128
/** The id is copied out of lines longer than this, in characters. */
const MAX_SHARED = 2_048
const REQUEST_ID = '"http.request.id":"'

/** Copies a text, because a slice keeps the whole text in memory. */
const copy = (text: string) => Buffer.from(text.slice(0, MAX_TEXT)).toString()

function summarize(requestId: string, span: FinishedSpan, children: readonly FinishedSpan[]): RequestSummary {
  const { startedAt, durationMs, attributes } = span
  const failure = children.find(({ error }) => error !== undefined)
  const error = failure ? `${describeSpan(failure)}: ${failure.error}` : span.error
  return {
    ...{ requestId, startedAt, durationMs, isFailed: isFailed(span), error: error && copy(error) },
    ...{ traceId: copy(span.traceId), spanId: copy(span.spanId), name: copy(span.name) },
    path: copy(String(attributes['url.path'] ?? '')),
    status: Number(attributes['http.response.status_code'] ?? 0),
    cause: copy(findCause(span, children)),
  }
}

const durationOf = ({ requests }: Entry) =>
  requests.reduce((longest, { durationMs }) => Math.max(longest, durationMs), 0)

const findFaster = (a: Entry, b: Entry) => (durationOf(b) < durationOf(a) ? b : a)

/** Collects the spans and log lines of requests, and keeps the slowest, the failed and the latest in bounded memory. */
export function createRequests(now: () => number) {
  const entries = new Map<string, Entry>()
  const totals = { pending: 0, slow: 0, failed: 0, latest: 0 }
  let second = 0
  let admitted = { failed: 0, latest: 0 }
  /** The duration of the slowest request that was dropped, in milliseconds. */
  let threshold = 0

  function drop(entry: Entry): void {
    totals[entry.kind] -= entry.bytes
    entries.delete(entry.requestId)
  }

  /** Adds to the size of an entry, and sets its kind. Call `limit` when the entry is complete. */
  function grow(entry: Entry, size: number, kind = entry.kind): void {
    totals[entry.kind] -= entry.bytes
    entry.bytes += size
    entry.kind = kind
    totals[kind] += entry.bytes
  }

  /** Drops entries of this kind above the limit: the fastest slow entry, or the oldest entry of another kind. */
  function limit(kind: Entry['kind']): void {
    while (totals[kind] > LIMITS[kind]) {
      const others = [...entries.values()].filter((each) => each.kind === kind)
      const dropped = kind === 'slow' ? others.reduce(findFaster) : (others[0] as Entry)
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

  function findEntry(requestId: string): Entry {
    const found = entries.get(requestId)
    if (found !== undefined) return found
    const entry: Entry = { requestId, requests: [], spans: [], lines: [], omitted: 0, kind: 'pending', bytes: 0 }
    entries.set(requestId, entry)
    grow(entry, OVERHEAD)
    return entry
  }

  function add(entry: Entry, list: 'spans' | 'lines', text: string): void {
    const size = 50 + 2 * text.length
    if (entry.bytes + size > MAX_BYTES || entry[list].length >= MAX_PARTS) {
      entry.omitted++
      return
    }
    entry[list].push(text)
    grow(entry, size)
  }

  function finish(requestId: string, given: FinishedSpan): void {
    if (Math.floor(now() / 1e3) !== second) startSecond()
    // A client that always sends one id never raises the threshold.
    const isFull = (entries.get(requestId)?.requests.length ?? 0) >= MAX_PARTS
    const isSlow = given.durationMs > threshold && !isFull
    const kind = isFailed(given) ? 'failed' : isSlow ? 'slow' : 'latest'
    if (kind !== 'slow' && admitted[kind]++ >= MAX_PER_SECOND) {
      const pending = entries.get(requestId)
      if (pending?.kind === 'pending') drop(pending)
      return
    }
    const entry = findEntry(requestId)
    // The entry may have spans of other requests with this id.
    const own = entry.spans.filter((text) => text.includes(given.traceId))
    const children: FinishedSpan[] = own.map((text) => JSON.parse(text))
    entry.requests.push(summarize(entry.requestId, given, children))
    if (entry.requests.length > MAX_PARTS) entry.requests.shift()
    else grow(entry, OVERHEAD)
    add(entry, 'spans', JSON.stringify(given))
    grow(entry, 0, kind)
    limit(kind)
  }

  return {
    /** Receives a finished span of a request: its server span or a child. Ignores spans outside requests. */
    onSpan(span: FinishedSpan): void {
      const { requestId = '' } = span
      if (requestId === '' || requestId.length > MAX_TEXT) return
      if (span.kind === 'server') finish(requestId, span)
      else {
        const entry = findEntry(requestId)
        add(entry, 'spans', JSON.stringify(span))
        limit(entry.kind)
      }
    },
    /** Receives a log line, which is JSON. Ignores lines that belong to no request. */
    onLine(line: string): void {
      const from = line.indexOf(REQUEST_ID) + REQUEST_ID.length
      const to = line.indexOf('"', from)
      if (from < REQUEST_ID.length || to <= from || to - from > MAX_TEXT) return
      const id = line.slice(from, to)
      const entry = findEntry(line.length > MAX_SHARED ? copy(id) : id)
      add(entry, 'lines', line)
      limit(entry.kind)
    },
    /**
     * Returns up to `count` requests for each list: the slowest of the last 15 minutes, the latest failed, and the
     * latest.
     */
    list(count: number) {
      const all = [...entries.values()].flatMap(({ requests }) => requests)
      const latest = all.sort((a, b) => b.startedAt - a.startedAt)
      const slowest = latest.filter(({ startedAt }) => startedAt > now() - SLOW_FOR_MS)
      const byRoute = Map.groupBy(
        slowest.sort((a, b) => b.durationMs - a.durationMs),
        ({ name }) => name,
      )
      const isListed = (each: RequestSummary) => byRoute.get(each.name)?.slice(0, MAX_PER_ROUTE).includes(each)
      const lists = { slowest: slowest.filter(isListed), failed: latest.filter((each) => each.isFailed), latest }
      return {
        slowest: lists.slowest.slice(0, count),
        failed: lists.failed.slice(0, count),
        latest: latest.slice(0, count),
      }
    },
    /** Returns the entries with this request id or trace id. */
    find: (id: string) =>
      [...entries.values()]
        .filter(({ requests }) => requests.some(({ requestId, traceId }) => requestId === id || traceId === id))
        .map(({ requests, spans, lines, omitted }) => ({
          requests,
          spans: spans.map((text) => JSON.parse(text)),
          lines,
          omitted,
        })),
  }
}
