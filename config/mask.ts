/**
 * Masks the credentials and the query of a URL in a text that is no secret itself. The query is masked to the end of
 * the text, because it may contain any separator.
 */
export const maskUrl = (text: string) => text.replace(/^(?!\/[^/])(.*?\/\/)?.*@/s, '$1***@').replace(/[?#].*/s, '?***')

/** Keeps the parts of a secret that tell one server from another, and masks the rest. */
export function maskSecret(name: string, secret: string): string {
  const url = name.endsWith('_URL') ? URL.parse(secret) : null
  if (url === null) return '***'
  const credentials = url.username + url.password === '' ? '' : '***@'
  return `${url.protocol}//${credentials}${url.host}${url.pathname}${url.search === '' ? '' : '?***'}`
}
