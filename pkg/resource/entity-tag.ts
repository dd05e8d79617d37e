import * as z from 'zod'
import type { Stored } from './stored.ts'

/** Response headers of one resource. The client may cache the response, and must revalidate it before each use. */
export const versionHeaders = ({ version }: Pick<Stored, 'version'>) => ({
  etag: `"${version}"`,
  'cache-control': 'private, no-cache',
})

/** The descriptions of these headers in the OpenAPI document. */
export const VERSION_HEADERS = { etag: 'The version, for if-match and if-none-match' }

const entityTags = z
  .string()
  .max(1_000)
  .regex(/^[\t\x20-\x7e\x80-\xff]*$/)

export const ifMatchHeaders = z.object({
  'if-match': entityTags.describe('The etag of the version to change, or * for any version'),
})

export const ifNoneMatchHeaders = z.object({
  'if-none-match': entityTags.describe('The etag of the version that the client has').optional(),
})

/** The versions that a request changes. */
export type Match = 'any' | readonly number[]

/** `version` is an integer of PostgreSQL. */
const MAX_VERSION = 2 ** 31 - 1

/** Reads if-match. The comparison is strong: a weak tag matches no version (RFC 9110 §13.1.1). */
export function readMatch(ifMatch = ''): Match {
  if (ifMatch === '*') return 'any'
  const versions = ifMatch.split(',').map((tag) => Number(/^"([1-9]\d*)"$/.exec(tag.trim())?.[1]))
  return versions.filter((version) => version <= MAX_VERSION)
}
