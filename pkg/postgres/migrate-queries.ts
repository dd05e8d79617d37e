import { type Migrations, mentions } from './migrate-plan.ts'

/** The slice of `pg.Client` that a migration uses. A text without values may hold several statements. */
export interface Client {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>
}

/** The table of this runner. Older builds use the table of Kysely's migrator, which this runner leaves unchanged. */
const LEDGER = 'schema_migrations'
const KYSELY_LEDGER = 'kysely_migration'

export async function inTransaction(client: Client, work: () => Promise<void>): Promise<void> {
  await client.query('begin')
  try {
    await work()
    await client.query('commit')
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

async function exists(client: Client, table: string): Promise<boolean> {
  const { rows } = await client.query('select to_regclass($1) is not null as found', [table])
  return rows[0]?.['found'] === true
}

async function readNames(client: Client, table: string): Promise<readonly string[]> {
  const { rows } = await client.query(`select name from ${table}`)
  return rows.map(({ name }) => String(name))
}

/** Returns the applied migrations under their present names. Changes nothing. */
export async function readApplied(client: Client, migrations: Migrations): Promise<ReadonlySet<string>> {
  if (await exists(client, LEDGER)) return new Set(await readNames(client, LEDGER))
  if (!(await exists(client, KYSELY_LEDGER))) return new Set()
  const renamed = new Map(Object.entries(migrations).map(([name, { formerly }]) => [formerly, name]))
  return new Set((await readNames(client, KYSELY_LEDGER)).map((name) => renamed.get(name) ?? name))
}

/** Creates the table of applied migrations and copies the names that Kysely's migrator has recorded. */
export async function prepareLedger(client: Client, migrations: Migrations): Promise<void> {
  if (await exists(client, LEDGER)) return
  const applied = await readApplied(client, migrations)
  await inTransaction(client, async () => {
    await client.query(`create table ${LEDGER} (name text primary key, applied_at timestamptz not null default now())`)
    for (const name of applied) await record(client, name)
  })
}

export async function record(client: Client, name: string): Promise<void> {
  await client.query(`insert into ${LEDGER} (name) values ($1)`, [name])
}

/**
 * Finds incomplete indexes of an interrupted `create index concurrently`, if the SQL names them. Ignores an index that
 * another connection is building at this moment.
 */
export async function findInvalidIndexes(client: Client, sql: string): Promise<readonly string[]> {
  const { rows } = await client.query(`
    select relname, oid::regclass::text as index from pg_index join pg_class on oid = indexrelid
    where not indisvalid and relkind = 'i'
      and not exists (select from pg_stat_progress_create_index where index_relid = indexrelid)`)
  return rows.flatMap(({ relname, index }) => (mentions(sql, String(relname)) ? String(index) : []))
}

/**
 * Describes the oldest open transaction, which most likely holds the lock that a migration waits for. A user without
 * `pg_read_all_stats` sees its own transactions only.
 */
export async function describeOldest(client: Client): Promise<string> {
  const { rows } = await client.query(`
    select pid, application_name as name, round(extract(epoch from clock_timestamp() - xact_start)) as seconds
    from pg_stat_activity
    where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
    order by xact_start limit 1`)
  const [oldest] = rows
  if (oldest === undefined) return 'no other open transaction is visible'
  const { pid, name, seconds } = oldest
  return `the oldest transaction is open for ${seconds} s: process ${pid}${name ? ` (${name})` : ''}`
}
