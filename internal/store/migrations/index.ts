import * as updatedAt from './0001-updated-at.ts'
import * as notes from './0002-notes.ts'
import * as idempotencyKeys from './20261126231000-idempotency-keys.ts'

/** Applied in the order of their names. Never change a migration after its release. */
export const migrations: Readonly<Record<string, { readonly up: string }>> = {
  '0001-updated-at': updatedAt,
  '20261126231000-idempotency-keys': idempotencyKeys,
  '0002-notes': notes,
}
