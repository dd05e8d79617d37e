/**
 * `//user:password@`, as drivers and URL parsers print it. A password may contain slashes and at signs. The three slashes
 * of a file URL start no credentials, and paths of packages contain at signs.
 */
const CREDENTIALS = /(?<!\/)\/\/(?!\/)[^\s"']+@/g

/** The query of a URL, which may contain a token. */
const QUERY = /(\/\/[^\s"'?#]+)\?[^\s"']*/g

/** Masks the credentials and the queries of the URLs in a text. */
export const withoutCredentials = (text: string) => text.replace(CREDENTIALS, '//***@').replace(QUERY, '$1?***')
