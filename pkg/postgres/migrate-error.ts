export interface MigrationErrorOptions {
  readonly migration: string
  /** True when the migration ran in a transaction. */
  readonly transaction: boolean
  /** The statement that failed. */
  readonly statement: string
  /** Incomplete indexes that the migration left behind. */
  readonly invalid: readonly string[]
  /** Attempts to get a lock. */
  readonly attempts: number
  readonly cause: unknown
}

/**
 * A migration failed. `code` is the SQLSTATE of PostgreSQL. `message` says which statements stay applied and which
 * indexes are incomplete.
 */
export class MigrationError extends Error {
  readonly code: unknown
  readonly migration: string

  constructor({ migration, transaction, statement, invalid, attempts, cause }: MigrationErrorOptions) {
    const { message, code, position } = cause as Error & { code?: unknown; position?: string }
    const lines = [
      `migration ${migration} failed${attempts > 1 ? ` after ${attempts} attempts` : ''}: ${message}${describePosition(statement, position)}`,
      transaction
        ? 'It was rolled back. Earlier migrations stay applied.'
        : 'It does not run in a transaction, so its earlier statements stay applied. The next run starts it again.',
      ...invalid.map((index) => `It left the incomplete index ${index}, which the next run drops.`),
    ]
    super(lines.join('\n'), { cause })
    this.name = 'MigrationError'
    this.code = code
    this.migration = migration
  }
}

/** Shows the line of the SQL at `position`, which counts characters from 1. */
function describePosition(statement: string, position = ''): string {
  const before = statement.slice(0, Number(position)).split('\n')
  if (position === '') return ''
  return `\n  line ${before.length}: ${statement.split('\n')[before.length - 1]?.trim()}`
}
