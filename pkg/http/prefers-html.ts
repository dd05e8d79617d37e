/**
 * Returns whether the `Accept` header prefers HTML to JSON. Equal preference, such as a wildcard, means JSON: only browsers
 * name HTML (https://www.rfc-editor.org/rfc/rfc9110#section-12.5.1).
 */
export function prefersHtml(accept = ''): boolean {
  // Skip parsing for clients other than browsers.
  if (!/text\//i.test(accept)) return false
  const qualities = new Map(accept.split(',').map(parseRange))
  const find = (...ranges: readonly string[]) =>
    ranges.map((range) => qualities.get(range)).find((quality) => quality !== undefined) ?? 0
  return find('text/html', 'text/*', '*/*') > find('application/json', 'application/*', '*/*')
}

/** Returns the type and the quality of a range. */
function parseRange(text: string): [string, number] {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim().toLowerCase())
  const quality = Number(parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? 1)
  return [type, quality >= 0 && quality <= 1 ? quality : 0]
}
