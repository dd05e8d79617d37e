import pg from 'pg'
import type { DatabaseSpan } from './describe.ts'
import type { ColumnNames } from './prepare.ts'

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

/** Members of pg's result that depend only on the columns, and the conversion of their names. */
export interface RowFormat {
  readonly fields: readonly pg.FieldDef[]
  readonly _parsers: readonly unknown[]
  readonly _prebuiltEmptyResultObject: object | null
  readonly columns: ColumnNames | undefined
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
  handleError(error: Error, connection: pg.Connection): void
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
    return { fields, _parsers, _prebuiltEmptyResultObject, columns: this.#columns }
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

  /** Reports an error of the server at the end of the statement, when the state of the transaction is known. */
  override handleError(error: Error, connection: pg.Connection): void {
    const report = () => {
      connection.off('readyForQuery', report).off('end', report)
      super.handleError(error, connection)
    }
    if (error instanceof pg.DatabaseError) connection.on('readyForQuery', report).on('end', report)
    else report()
  }
}

/** Execute without a limit of rows, and Sync. */
const EXECUTE_AND_SYNC = Buffer.from('450000000900000000005300000004', 'hex')
const BIND = 0x42
const NULL_LENGTH = -1

/**
 * Encodes the execution of a statement that the server has parsed and described: Bind, Execute and Sync in one buffer.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
function encodeExecution(name: string, values: readonly SerializedValue[]): Buffer {
  const sizes = values.map((value) => (value === null ? NULL_LENGTH : Buffer.byteLength(value)))
  let bindLength = 4 + 1 + name.length + 1 + 2 + 2 * values.length + 2 + 2
  for (const size of sizes) bindLength += 4 + Math.max(0, size)
  const bytes = Buffer.allocUnsafe(1 + bindLength + EXECUTE_AND_SYNC.length)
  bytes[0] = BIND
  let offset = bytes.writeInt32BE(bindLength, 1)
  // The portal has no name.
  bytes[offset++] = 0
  offset += bytes.write(name, offset, 'latin1')
  bytes[offset++] = 0
  offset = bytes.writeUInt16BE(values.length, offset)
  for (const value of values) offset = bytes.writeUInt16BE(Number(value instanceof Buffer), offset)
  offset = bytes.writeUInt16BE(values.length, offset)
  for (const [index, value] of values.entries()) {
    offset = bytes.writeInt32BE(sizes[index] ?? NULL_LENGTH, offset)
    if (typeof value === 'string') offset += bytes.write(value, offset)
    else if (value !== null) offset += value.copy(bytes, offset)
  }
  // Every column of the result is text.
  offset = bytes.writeUInt16BE(0, offset)
  EXECUTE_AND_SYNC.copy(bytes, offset)
  return bytes
}
