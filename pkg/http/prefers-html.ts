/**
 * Whether a client would rather have HTML than JSON, by its `Accept` header. Both alike, as a bare `*` on each side has
 * it, is JSON: only people's browsers name HTML (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1).
 */
export function prefersHtml(accept = ''): boolean {
  // Spares every other client the rest.
  if (!/text\//i.test(accept)) return false
  const ranges = accept.split(',').map(parseRange)
  return qualityOf('text/html', ranges) > qualityOf('application/json', ranges)
}

interface Range {
  readonly type: string
  readonly quality: number
}

function parseRange(text: string): Range {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
  return { type, quality: quality >= 0 && quality <= 1 ? quality : 0 }
}

/** The range that says most about a type decides, not the one that wants it most. */
function qualityOf(type: string, ranges: readonly Range[]): number {
  for (const wanted of [type, type.replace(/[^/]+$/, '*'), '*/*']) {
    const matching = ranges.filter((range) => range.type === wanted)
    if (matching.length > 0) return Math.max(...matching.map(({ quality }) => quality))
  }
  return 0
}
