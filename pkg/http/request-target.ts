/** `.` and `..` as a segment of a path, also percent-encoded and between encoded or wrong slashes. */
const DOT_SEGMENT = /(?:^|[/\\]|%2f|%5c)(?:\.|%2e){1,2}(?:[/\\]|%2f|%5c|$)/i

/** The absolute form, which every server accepts (RFC 9112 §3.2.2). Its authority is ignored. */
const ABSOLUTE = /^https?:\/\/[^/?#]*([^?#]*)(.*)$/i

/**
 * Returns path and query of a request target, or undefined for an ambiguous target: with dot
 * segments, backslashes or a fragment. A proxy that denies a path must see the same path as the router.
 */
export function requestTarget(target: string): string | undefined {
  if (target === '*') return target
  let path = target
  if (!target.startsWith('/')) {
    const [, absolutePath = '', query = ''] = ABSOLUTE.exec(target) ?? []
    if (!URL.canParse(target) || !ABSOLUTE.test(target)) return undefined
    path = (absolutePath || '/') + query
  }
  const end = path.indexOf('?')
  const pathOnly = end < 0 ? path : path.slice(0, end)
  if (pathOnly.includes('\\') || path.includes('#')) return undefined
  // Most paths have neither a dot nor an escape.
  const isSuspect = pathOnly.includes('.') || pathOnly.includes('%')
  return isSuspect && DOT_SEGMENT.test(pathOnly) ? undefined : path
}
