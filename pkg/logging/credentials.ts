/**
 * `//user:password@`, as drivers and URL parsers print it. A password may contain slashes and at signs. The three slashes
 * of a file URL start no credentials, and paths of packages contain at signs.
 */
const CREDENTIALS = /^.+@/s

/** The rest of a text after two slashes, up to the end of the URL. */
const AFTER_SLASHES = /(?<!\/)\/\/(?!\/)([^\s"']+)/g

/** A URL without its query, which may contain a token, and the query. */
const QUERY = /(\/\/[^\s"'?#]+)(\?[^\s"']*)?/g

/**
 * Masks the credentials and the queries of the URLs in a text. The time is linear in the length of the text: the first
 * expression matches to the end of a URL whether or not it contains credentials, so no later slashes search again.
 */
export const withoutCredentials = (text: string) =>
  text
    .replace(AFTER_SLASHES, (_all, rest: string) => `//${rest.replace(CREDENTIALS, '***@')}`)
    .replace(QUERY, (_all, url: string, query?: string) => (query === undefined ? url : `${url}?***`))
