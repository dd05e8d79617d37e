import pg from 'pg'
import type { ColumnNames } from './column-names.ts'
import type { DatabaseSpan } from './describe.ts'
import { encodeExecution } from './encode.ts'

export type SerializedValue = string | Buffer | null

/** A statement in the form that the server receives. */
export interface Query {
  readonly text: string
  readonly values: readonly SerializedValue[]
  /**
   * Statements with the same text have the same name. The server keeps the parsed text of a named statement for the
   * connection.
   */
  readonly name?: string | undefined
  /** Converts the names of the columns. @default the names stay as they are */
  readonly columns?: ColumnNames | undefined
  /** The span of the statement, which contains the wait for a connection. */
  readonly span?: DatabaseSpan | undefined
}

/** Members of pg's result that depend only on the columns. */
export interface RowFormat {
  readonly fields: readonly pg.FieldDef[]
  readonly _parsers: readonly unknown[]
  readonly _prebuiltEmptyResultObject: object | null
}

/** Members of pg's query that its types leave out. */
interface PgQuery extends pg.Query {
  name: string | undefined
  queryMode: 'extended' | undefined
  callback: (error: Error | null, results: pg.QueryResult | [pg.QueryResult, ...pg.QueryResult[]]) => void
  readonly values: readonly SerializedValue[]
  readonly _result: RowFormat & { readonly rows: unknown[]; parseRow(fields: readonly (string | null)[]): unknown }
  _canceledDueToError: unknown
  submit(connection: pg.Connection): Error | null
  prepare(connection: pg.Connection): void
  handleRowDescription(message: { readonly fields: pg.FieldDef[] }): void
  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void
}

const PgQuery = pg.Query as unknown as new (text: string, values: readonly SerializedValue[]) => PgQuery

const { prepareValue } = (pg as unknown as { utils: { prepareValue(value: unknown): SerializedValue } }).utils

/**
 * Converts values to text before pg sends the statement. When pg cannot convert a value, such as an object with a
 * cycle, it reports the error before it has queued the statement. Later statements would then get the rows of other
 * statements.
 *
 * @throws the error of the value
 */
export const serialize = (values: readonly unknown[]): SerializedValue[] => values.map((value) => prepareValue(value))

/**
 * A query of pg that can begin a transaction in the same round trip, renames columns once for all rows, and does not
 * request a known description of the rows.
 */
export class Statement extends PgQuery {
  readonly #columns: ColumnNames | undefined
  readonly #before: readonly string[]
  readonly #isDescribed: boolean

  /**
   * @param before commands without rows. After an error the server skips the rest, so the query never runs without
   * them.
   * @param format the row format of an earlier execution of this named statement on the same connection
   */
  constructor(
    { text, values, name, columns }: Query,
    before: readonly string[] = [],
    format: RowFormat | undefined = undefined,
  ) {
    // Pass text and values: pg clones a configuration object with its property descriptors, which takes as long as the
    // rest of this method.
    super(text, values)
    this.name = name
    this.queryMode = before.length > 0 ? 'extended' : undefined
    this.#columns = columns
    this.#before = before
    this.#isDescribed = format !== undefined
    if (format !== undefined) Object.assign(this._result, format)
  }

  get format(): RowFormat {
    const { fields, _parsers, _prebuiltEmptyResultObject } = this._result
    return { fields, _parsers, _prebuiltEmptyResultObject }
  }

  override submit(connection: pg.Connection): Error | null {
    if (!this.#isDescribed) return super.submit(connection)
    const { stream } = connection
    if (stream.writable) stream.write(encodeExecution(this.name ?? '', this.values))
    return null
  }

  override prepare(connection: pg.Connection): void {
    for (const text of this.#before) {
      connection.parse({ text, name: '', types: [] }, true)
      connection.bind({}, true)
      connection.execute(null, true)
    }
    super.prepare(connection)
  }

  override handleRowDescription(message: { readonly fields: pg.FieldDef[] }): void {
    const columns = this.#columns
    if (columns !== undefined) for (const field of message.fields) field.name = columns.camelCase(field.name)
    super.handleRowDescription(message)
  }

  /** Keeps each row, without an event for it. */
  override handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    if (this._canceledDueToError) return
    try {
      this._result.rows.push(this._result.parseRow(fields))
    } catch (error) {
      this._canceledDueToError = error
    }
  }
}
