export {
  ifMatchHeaders,
  ifNoneMatchHeaders,
  type Match,
  readMatch,
  VERSION_HEADERS,
  versionHeaders,
} from './entity-tag.ts'
export {
  type BindIdempotency,
  createIdempotency,
  IDEMPOTENCY_PROBLEMS,
  type Idempotency,
  type IdempotencyKeys,
  idempotencyHeaders,
  type StoredKey,
  sha256,
} from './idempotency.ts'
export {
  createPage,
  type Page,
  type PageRequest,
  pageQuery,
  pageSchema,
  readSort,
  type Sort,
} from './page.ts'
export { RESOURCE_PROBLEMS } from './problems.ts'
export {
  bigint,
  date,
  decimal,
  idParams,
  type JsonObject,
  json,
  type Stored,
  storedFields,
  text,
  timestamp,
} from './stored.ts'
