/**
 * `//user:password@`, as drivers and URL parsers print it. A password may hold slashes and at signs.
 * The three slashes of a file's URL begin no credentials, and packages have at signs in their paths.
 */
const CREDENTIALS = /(?<!\/)\/\/(?!\/)[^\s"']+@/g

/** A text for people without the credentials of the URLs in it. */
export const withoutCredentials = (text: string) => text.replace(CREDENTIALS, '//***@')
