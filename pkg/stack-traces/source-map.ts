export interface Position {
  /** The path of the source as the map names it. */
  readonly source: string
  /** Starts at 1. */
  readonly line: number
  /** Starts at 1. */
  readonly column: number
}

/** Returns the source of a position in the generated file. Lines and columns start at 1. */
export type FindPosition = (line: number, column: number) => Position | undefined

/** Generated column, source, line and column of a segment, as numbers that start at 0. */
const FIELDS = 4

/**
 * Decodes a source map (ECMA-426). Segments are in one typed array: objects for the 330 000 segments of a bundle would
 * take ten times the memory.
 *
 * @throws when the text is not a source map
 */
export function parseSourceMap(text: string): FindPosition {
  const { version, sources, mappings } = JSON.parse(text)
  if (version !== 3 || !Array.isArray(sources) || typeof mappings !== 'string') throw new Error('not a source map')
  const { segments, lineStarts } = decode(mappings)

  return function findPosition(line, column) {
    const start = lineStarts[line - 1] ?? 0
    // Find the last segment that starts at the column or before it.
    let low = start
    let end = lineStarts[line] ?? 0
    while (low < end) {
      const middle: number = (low + end) >> 1
      if ((segments[middle * FIELDS] ?? 0) <= column - 1) low = middle + 1
      else end = middle
    }
    if (low === start) return undefined
    const [, source = -1, sourceLine = 0, sourceColumn = 0] = segments.subarray((low - 1) * FIELDS, low * FIELDS)
    const path: unknown = sources[source]
    return typeof path === 'string' ? { source: path, line: sourceLine + 1, column: sourceColumn + 1 } : undefined
  }
}

const BASE_64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const COMMA = 44
const SEMICOLON = 59

/**
 * Returns the segments, and the index of the first segment of each generated line. The last index is the number of
 * segments.
 */
function decode(mappings: string) {
  const digits = new Int8Array(128).fill(-1)
  for (let i = 0; i < BASE_64.length; i++) digits[BASE_64.charCodeAt(i)] = i

  // The shortest segment with a source has four digits and a separator.
  let segments = new Int32Array(FIELDS * Math.ceil((mappings.length + 1) / 5))
  let length = 0
  const lineStarts = [0]
  // Every number is the difference from its predecessor. The generated column starts again with each line.
  const state = new Int32Array(5)
  let field = 0
  let value = 0
  let shift = 0
  for (let i = 0; i <= mappings.length; i++) {
    const code = i === mappings.length ? SEMICOLON : mappings.charCodeAt(i)
    if (code !== COMMA && code !== SEMICOLON) {
      const digit = digits[code] ?? -1
      if (digit === -1 || field === state.length) throw new Error('no source map: invalid mappings')
      value |= (digit & 31) << shift
      shift += 5
      if (digit & 32) continue
      state[field] = (state[field] ?? 0) + (value & 1 ? -(value >>> 1) : value >>> 1)
      field++
      value = 0
      shift = 0
      continue
    }
    if (field > 0) {
      if (length === segments.length) segments = grow(segments)
      for (let j = 0; j < FIELDS; j++) segments[length + j] = state[j] ?? 0
      // A segment with one field has no source.
      if (field === 1) segments[length + 1] = -1
      length += FIELDS
      field = 0
    }
    if (code === SEMICOLON) {
      lineStarts.push(length / FIELDS)
      state[0] = 0
    }
  }
  return { segments: segments.slice(0, length), lineStarts }
}

function grow(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(array.length * 2 + FIELDS)
  larger.set(array)
  return larger
}
