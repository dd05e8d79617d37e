export { ifMatchHeaders, ifNoneMatchHeaders, requireMatch, VERSION_HEADERS, versionHeaders } from './entity-tag.ts'
export {
  type BindIdempotency,
  createIdempotency,
  IDEMPOTENCY_PROBLEMS,
  type Idempotency,
  type IdempotencyKeys,
  type IdempotencyOptions,
  idempotencyHeaders,
  type StoredKey,
} from './idempotency.ts'
export { createPage, type Page, type PageRequest, type Position, pageQuery, pageSchema } from './page.ts'
export { RESOURCE_PROBLEMS } from './problems.ts'
export { date, idParams, type Stored, storedFields, text, timestamp } from './stored.ts'
