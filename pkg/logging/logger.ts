import { type DestinationStream, type Logger, pino, stdSerializers, stdTimeFunctions } from 'pino'
import { withoutCredentials } from './credentials.ts'

export type { Logger }

export interface LoggerOptions {
  /** @default 'info' */
  readonly level?: string
  /** Fields of every line, such as the service's name and version. */
  readonly base?: Readonly<Record<string, unknown>>
  /** Fields of the request under way, asked for once a line. Must return a new object each time. */
  readonly context?: () => object
  /** @default standard output, written at once: nothing is lost at exit. */
  readonly destination?: DestinationStream
}

const SECRET_KEYS = ['authorization', 'cookie', 'set-cookie', 'password', 'secret', 'token', 'apiKey', 'x-api-key']

/** Anything that may hold a credential, at the top of a line and up to two levels below. */
const REDACTED = SECRET_KEYS.flatMap((key) => [`["${key}"]`, `*["${key}"]`, `*.*["${key}"]`])

function scrubbed(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return withoutCredentials(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth === 0) return '…'
  if (Array.isArray(value)) return value.map((each) => scrubbed(each, depth - 1))
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, scrubbed(each, depth - 1)]))
}

/** One JSON object a line: `level` by name, `time` in ISO 8601, then the fields, then `msg`. */
export function createLogger({ level = 'info', base = {}, context, destination }: LoggerOptions = {}): Logger {
  return pino(
    {
      level,
      base,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: (error: unknown) => scrubbed(Error.isError(error) ? stdSerializers.err(error) : error, 5) },
      // pino would put the message of an error that comes alone into `msg` as it is.
      hooks: {
        logMethod(args, method) {
          const [first, message] = args as [unknown, unknown]
          const alone = typeof first === 'object' && first !== null && 'err' in first && message === undefined
          method.apply(this, alone ? [first, 'error'] : args)
        },
      },
      redact: { paths: REDACTED, censor: '***' },
      ...(context && { mixin: context }),
    },
    destination ?? standardOutput(),
  )
}

/** Where the log cannot be written (a full disk), the service goes on without it and keeps the last lines to try again. */
function standardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: true, maxLength: 1024 * 1024 })
  output.on('error', () => {})
  return output
}
