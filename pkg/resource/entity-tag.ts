import * as z from 'zod/mini'
import { Failure } from './failure.ts'
import type { Stored } from './stored.ts'

/** The header fields of an answer with one stored thing: whoever keeps it asks whether it is still so. */
export const tagged = ({ version }: Pick<Stored, 'version'>) => ({ etag: `"${version}"`, 'cache-control': 'no-cache' })

/** The same in the description of an answer. */
export const TAGGED = { etag: 'The version, for if-match and if-none-match' }

export const ifMatchHeaders = z.object({
  'if-match': z.string().check(z.describe('The etag of the version to be changed, or * for any')),
})

export const ifNoneMatchHeaders = z.object({
  'if-none-match': z.optional(z.string().check(z.describe('The etag of a version that is at hand already'))),
})

/**
 * Throws `precondition_failed` for a version that If-Match does not name. Compared as text and strongly: a weak
 * tag matches nothing (RFC 9110 §13.1.1).
 */
export function matching(ifMatch = ''): (current: Pick<Stored, 'version'>) => void {
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  return function match(current) {
    if (ifMatch !== '*' && !tags.includes(tagged(current).etag)) throw new Failure('precondition_failed')
  }
}
