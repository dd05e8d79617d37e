import type { Socket } from 'node:net'
import pg from 'pg'
import { createFramingCheck } from './framing.ts'

/** Members of pg's connection that its types leave out. */
interface PgConnection extends pg.Connection {
  readonly stream: Socket
  attachListeners(stream: Socket): void
  connect(port: number, host: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
}

interface PgClient {
  readonly connection: PgConnection
  readonly processID: number
  readonly secretKey: number
  readonly sslNegotiation: string
}

/**
 * Time limit of an attempt to cancel a statement, in milliseconds. It is long because PgBouncer 1.18 exits when a
 * client closes a cancel connection early.
 */
const CANCEL_MS = 60_000

/**
 * Closes the connection when the server does not follow the protocol. The parser of pg runs in an event handler of the
 * socket, so an unexpected response (a GSSAPI log-in, a broken proxy) would otherwise end or block the process.
 */
export class GuardedClient extends pg.Client {
  readonly #config: pg.ClientConfig

  constructor(config: pg.ClientConfig = {}) {
    super(config)
    this.#config = config
    const { connection } = this.#internals
    const attachListeners = connection.attachListeners.bind(connection)
    // Called for the plain stream, or for TLS after the handshake.
    connection.attachListeners = (stream) => {
      const emit = stream.emit.bind(stream)
      const checkFraming = createFramingCheck()
      stream.emit = (event: string, ...args: unknown[]) => {
        try {
          if (event === 'data') checkFraming(args[0] as Buffer)
          return emit(event, ...args)
        } catch (cause) {
          stream.destroy(new Error('Connection terminated: the server broke the protocol', { cause }))
          return true
        }
      }
      attachListeners(stream)
    }
  }

  get #internals(): PgClient {
    return this as unknown as PgClient
  }

  /** Process number of the server, or a number that a pooler has generated. */
  get processId(): number {
    return this.#internals.processID
  }

  /**
   * Combines all writes of this turn of the event loop into one system call, which costs as much as the rest of a small
   * query.
   */
  batch(): void {
    const { stream } = this.#internals.connection
    if (stream.writableCorked > 0) return
    stream.cork()
    setImmediate(() => stream.uncork())
  }

  /** Fails every statement in flight with this error and closes the connection. */
  destroy(error?: Error): void {
    this.#internals.connection.stream.destroy(error)
  }

  /** Asks the server, over another connection, to end the statement that it executes now. Never throws. */
  cancel(): void {
    const { processID, secretKey } = this.#internals
    const { connection } = new pg.Client(this.#config) as unknown as PgClient
    const send = () => connection.cancel(processID, secretKey)
    connection.on('connect', () => {
      if (!this.ssl) send()
      else if (this.#internals.sslNegotiation !== 'direct') connection.requestSsl()
    })
    connection.on('sslconnect', send)
    const stop = () => connection.stream.destroy()
    const timer = setTimeout(stop, CANCEL_MS).unref()
    connection.on('end', () => clearTimeout(timer)).on('error', stop)
    if (this.host.startsWith('/')) connection.connect(`${this.host}/.s.PGSQL.${this.port}` as never, '')
    else connection.connect(this.port, this.host)
    connection.stream.unref()
  }
}

/**
 * Returns whether a timestamp is in UTC and has a year of four digits: it converts to ISO 8601 without a `Date`. Others end
 * with another offset or with ` BC`, or are `infinity`.
 */
const isUtc = (text: string) => text[4] === '-' && text[10] === ' ' && text.endsWith('+00')

/**
 * Returns dates and timestamps as strings in the format of JSON. By default pg parses both to a `Date`, which can shift
 * a date by one day in another time zone.
 */
export const types: pg.CustomTypesConfig = {
  getTypeParser(type, format) {
    const parse = pg.types.getTypeParser(type, format)
    if (type === pg.types.builtins.DATE) return (text: string) => text
    if (type === pg.types.builtins.TIMESTAMPTZ) {
      return (text: string) => {
        // Most timestamps have milliseconds.
        if (text.length === 26 && isUtc(text)) return `${text.slice(0, 10)}T${text.slice(11, 23)}Z`
        if (isUtc(text))
          return `${text.slice(0, 10)}T${text.slice(11, 19)}${(text.slice(19, -3) || '.').slice(0, 4).padEnd(4, '0')}Z`
        const moment = parse(text)
        return moment instanceof Date ? moment.toISOString() : text
      }
    }
    return parse
  },
}
