// biome-ignore-all assist/source/organizeImports: Git can keep the imports of two branches only when they are not sorted.
import type { Migrations } from '#pkg/postgres/migrate-plan.ts'
import * as updatedAt from './20261122204600-updated-at.ts'
import * as notes from './20261122204602-notes.ts'
import * as idempotencyKeys from './20261122204603-idempotency-keys.ts'
import * as jobs from './20261127070000-jobs.ts'

/** Applied in the order of their names, not of this list. Never change or rename a migration after its release. */
export const migrations: Migrations = {
  '20261122204600-updated-at': updatedAt,
  '20261122204603-idempotency-keys': idempotencyKeys,
  '20261122204602-notes': notes,
  '20261127070000-jobs': jobs,
}
