import { CamelCasePlugin, type CompiledQuery, type Kysely, type QueryResult } from 'kysely'

/** A database or a transaction with any tables. */
// biome-ignore lint/suspicious/noExplicitAny: a Kysely of some tables is not assignable to one of other tables.
export type Executor = Pick<Kysely<any>, 'executeQuery' | 'getExecutor'>

/**
 * Publishes the conversion of names in Kysely's plugin. Prepared queries convert names once per result instead of once
 * per row.
 */
export class ColumnNames extends CamelCasePlugin {
  override camelCase(name: string): string {
    return super.camelCase(name)
  }
}

/** A compiled query with the properties that `prepare` computes in advance. */
export interface PreparedQuery<Row = unknown> extends CompiledQuery<Row> {
  readonly name?: string
  readonly columns?: ColumnNames
}

/** A query of Kysely, or raw SQL. */
interface Compilable<Row> {
  compile(executor: Executor): CompiledQuery<Row>
}

/** Stands for a value while a query is compiled. */
class Placeholder {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

/** A query that is compiled once and runs with different values. */
export interface Prepared<Values, Row, Shape extends readonly unknown[]> {
  execute(executor: Executor, values: Values, ...shape: Shape): Promise<Row[]>
  takeFirst(executor: Executor, values: Values, ...shape: Shape): Promise<Row | undefined>
  /** @throws when the query returns no row */
  takeFirstOrThrow(executor: Executor, values: Values, ...shape: Shape): Promise<Row>
}

/** Maximum number of stored variants of one query. Further variants are compiled for each execution. */
const MAX_VARIANTS = 100

/**
 * Compiles a query at its first execution and keeps it:
 *
 *     const find = prepare(({ id }: { id: string }) => db.selectFrom('notes').selectAll().where('id', '=', id))
 *     const note = await find.takeFirst(transaction, { id })
 *
 * `build` returns a query of Kysely or raw SQL. It receives placeholders instead of the values, so it must not inspect
 * them. An undefined value has no placeholder, and `build` runs once for each set of defined values. It also runs once
 * for each `shape`, which may be any JSON: use it for a variation of the SQL, such as the order of a list.
 */
export function prepare<Values extends object, Row, Shape extends readonly unknown[] = []>(
  build: (given: Values, ...shape: Shape) => Compilable<Row>,
): Prepared<Values, Row, Shape> {
  const variants = new Map<string, PreparedQuery<Row>>()

  function compile(executor: Executor, values: Values, shape: Shape): PreparedQuery<Row> {
    const names = Object.keys(values).filter((name) => values[name as keyof Values] !== undefined)
    const key = shape.length === 0 ? names.join() : `${names} ${JSON.stringify(shape)}`
    const known = variants.get(key)
    if (known !== undefined) return known
    const given = Object.fromEntries(names.map((name) => [name, new Placeholder(name)]))
    const query = build(given as Values, ...shape).compile(executor)
    const compiled = { ...query, name: nameStatement(query.sql) }
    if (variants.size < MAX_VARIANTS) variants.set(key, compiled)
    return compiled
  }

  function run(executor: Executor, values: Values, shape: Shape): Promise<QueryResult<Row>> {
    const { plugins } = executor.getExecutor()
    const columns = plugins.length === 1 && plugins[0] instanceof ColumnNames ? plugins[0] : undefined
    // Another plugin may change the SQL, as the plugin of `withSchema` does.
    if (columns === undefined) {
      const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined))
      return executor.executeQuery(build(given as Values, ...shape).compile(executor))
    }
    const compiled = compile(executor, values, shape)
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Placeholder ? values[parameter.name as keyof Values] : parameter,
    )
    const query = { ...compiled, parameters, columns }
    return executor.getExecutor().provideConnection((connection) => connection.executeQuery<Row>(query))
  }

  return {
    execute: async (executor, values, ...shape) => (await run(executor, values, shape)).rows,
    takeFirst: async (executor, values, ...shape) => (await run(executor, values, shape)).rows[0],
    async takeFirstOrThrow(executor, values, ...shape) {
      const [first] = (await run(executor, values, shape)).rows
      if (first === undefined) throw new Error('the query returned no row')
      return first
    },
  }
}

/**
 * Names a statement by the hash of its text. Behind a pooler, several clients share a connection of the server, so two
 * texts must never have the same name.
 */
export function nameStatement(text: string): string {
  // Loaded for the first statement, which keeps the start fast. The executable cannot import() a built-in module.
  return process.getBuiltinModule('node:crypto').hash('sha256', text, 'base64url')
}
