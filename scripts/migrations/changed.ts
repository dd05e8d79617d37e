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
  const changed: string[] = []
  const hashes: Record<string, string> = {}
  for (const [name, { up, transaction = true }] of Object.entries(migrations)) {
    const current = hash('sha256', JSON.stringify([up, transaction]))
    const ran = applied.includes(name) ? current : (before[name] ?? current)
    hashes[name] = ran
    if (ran !== current) changed.push(name)
  }
  return { changed, hashes }
}
