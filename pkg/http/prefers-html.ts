/**
 * Returns whether the `Accept` header prefers HTML to JSON. Equal preference, such as a wildcard, means JSON: only browsers
 * name HTML (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1).
 */
export function prefersHtml(accept = ''): boolean {
  // Skip parsing for clients other than browsers.
  if (!/text\//i.test(accept)) return false
  const ranges = accept.split(',').map(parseRange)
  return findQuality('text/html', ranges) > findQuality('application/json', ranges)
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

/** Returns the quality of the most specific range that matches the type. */
function findQuality(type: string, ranges: readonly Range[]): number {
  for (const wanted of [type, type.replace(/[^/]+$/, '*'), '*/*']) {
    const matching = ranges.filter((range) => range.type === wanted)
    if (matching.length > 0) return Math.max(...matching.map(({ quality }) => quality))
  }
  return 0
}
