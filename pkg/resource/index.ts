export { type Cache, type CacheOptions, createCache } from './cache.ts'
export { ifMatchHeaders, ifNoneMatchHeaders, matching, TAGGED, tagged } from './entity-tag.ts'
export { Failure } from './failure.ts'
export {
  createIdempotency,
  IDEMPOTENCY_PROBLEMS,
  type Idempotency,
  type IdempotencyOptions,
  idempotencyHeaders,
} from './idempotency.ts'
export { type Page, type PageRequest, type Position, pageAnswer, pageOf, pageQuery } from './page.ts'
export { date, idParams, type Stored, storedFields, text, timestamp } from './stored.ts'
