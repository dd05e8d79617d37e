import { hash } from 'node:crypto'
import type { Migrations } from '#pkg/postgres/migrate-plan.ts'

/** The hash of each migration that the local database has run, by its name. */
export type Hashes = Readonly<Record<string, string>>

/**
 * Finds the migrations that have changed since the local database ran them: the database does not run them again.
 *
 * @param before the hashes that the previous call returned
 * @param applied the migrations that the database has run since that call
 */
export function findChanged(
  migrations: Migrations,
  before: Hashes,
  applied: readonly string[],
): { readonly changed: readonly string[]; readonly hashes: Hashes } {
  const current: Hashes = Object.fromEntries(
    Object.entries(migrations).map(([name, { up, transaction = true }]) => [
      name,
      hash('sha256', JSON.stringify([up, transaction])),
    ]),
  )
  const kept = Object.entries(before).filter(([name]) => Object.hasOwn(current, name) && !applied.includes(name))
  const hashes = { ...current, ...Object.fromEntries(kept) }
  return { changed: Object.keys(hashes).filter((name) => hashes[name] !== current[name]), hashes }
}
