export interface Migration {
  /** SQL. PostgreSQL refuses `create index concurrently` in a text of several statements, so give a list instead. */
  readonly up: string | readonly string[]
  /** `false` for statements that cannot run in a transaction. They must be able to run again. @default true */
  readonly transaction?: boolean
  /** The name in the table of Kysely's migrator, which this project used before. It decides the order. */
  readonly formerly?: string
  /**
   * The contract step of expand and contract. It breaks versions that still use the removed tables or columns. For
   * `make lint`.
   */
  readonly phase?: 'contract'
  /** Why a long lock or a rewrite does not matter, such as "the table has 200 rows". For `make lint`. */
  readonly blocking?: string
}

/** Migrations by name: a time and a subject, such as `20261124090000-orders`. */
export type Migrations = Readonly<Record<string, Migration>>

export interface Plan {
  /** Missing migrations in the order in which they run. */
  readonly pending: readonly string[]
  /** Applied migrations that this build does not contain. */
  readonly unknown: readonly string[]
}

/** Compares the migrations of this build with the migrations that the database has run. */
export function plan(migrations: Migrations, applied: ReadonlySet<string>): Plan {
  const order = (name: string) => migrations[name]?.formerly ?? name
  const names = Object.keys(migrations).sort((a, b) => (order(a) < order(b) ? -1 : 1))
  return {
    pending: names.filter((name) => !applied.has(name)),
    unknown: [...applied].filter((name) => !Object.hasOwn(migrations, name)),
  }
}

/** Returns whether a statement names an index, table or column, quoted or not. */
export function mentions(statement: string, name: string): boolean {
  const words = statement.match(/"(?:[^"]|"")+"|[\w$]+/g) ?? []
  return words.some(
    (word) => (word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word.toLowerCase()) === name,
  )
}
