import { type DestinationStream, type Logger, pino } from 'pino'
import { errorFields } from './error-fields.ts'
import { redact } from './redact.ts'

export type { Logger }

export interface LoggerOptions {
  /** @default 'info' */
  readonly level?: string
  /** The fields of every line, such as the name and the version of the service. */
  readonly base?: object
  /**
   * Returns additional fields for a line, such as the id of the current request, or undefined. Called once for each
   * line.
   */
  readonly context?: (fields: object) => object | undefined
  readonly destination: DestinationStream
}

/** The version of the Elastic Common Schema that the fields follow. */
const ECS_VERSION = '8.17.0'

/** Replaces fields with a getter or a `toJSON` that throws, because writing a line must not fail the request. */
const UNREADABLE = { 'error.message': 'the fields of this line cannot be read' }

/** Masks secrets, and replaces `err` with the `error.…` fields. */
function toEcs(fields: object): Record<string, unknown> {
  const shown = redact(fields, 2, 'err') as Record<string, unknown>
  if (!('err' in shown)) return shown
  const { err, ...rest } = shown
  return err === undefined ? rest : { ...rest, ...errorFields(err) }
}

/** Returns the object without some of its fields, and the same object when it has none of them. */
function omit<T extends object>(fields: T, names: readonly string[]): T {
  if (!names.some((name) => name in fields)) return fields
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !names.includes(name))) as T
}

/** pino keeps the formatters of a logger under this documented symbol. */
type Formatted = Logger & {
  readonly [pino.symbols.formattersSym]: { readonly log: (fields: object) => Record<string, unknown> }
}

/** Renders the time at most once a millisecond. pino's `isoTime` renders it for each line. */
function createClock(): () => string {
  let renderedAt = 0
  let rendered = ''
  return function timestamp() {
    const now = Date.now()
    if (now !== renderedAt) {
      renderedAt = now
      rendered = `,"@timestamp":"${new Date(now).toISOString()}"`
    }
    return rendered
  }
}

/**
 * Writes one JSON object for each line, in the Elastic Common Schema with dotted names at the top level: `log.level`,
 * `@timestamp`, `ecs.version`, the fields of `base`, of the context and of the line, and `message`. Pass an error as
 * `err`: the line has its `error.…` fields. A line cannot replace the fields of every line or of its child logger,
 * because an index rejects a line that has a field twice.
 */
export function createLogger({ level = 'info', base = {}, context, destination }: LoggerOptions): Logger {
  const fixed = ['@timestamp', 'log.level', 'ecs.version', ...Object.keys(base)]
  const logger = pino(
    {
      level,
      base: { 'ecs.version': ECS_VERSION, ...base },
      messageKey: 'message',
      timestamp: createClock(),
      formatters: {
        level: (label) => ({ 'log.level': label }),
        log: (fields) => toEcs(omit(fields, fixed)),
      },
      // Without a text, pino would copy the message of the error into `message` unmasked.
      hooks: {
        logMethod(args, method) {
          const given = args as unknown[]
          if (Error.isError(given[0])) given[0] = { err: given[0] }
          const [first, message] = given
          if (message === undefined && typeof first === 'object' && first !== null && 'err' in first) given[1] = 'error'
          try {
            if (message !== undefined && typeof first === 'object' && first !== null)
              given[0] = omit(first, ['message'])
            method.apply(this, args)
          } catch {
            const text = typeof first === 'string' ? first : message
            method.call(this, UNREADABLE, typeof text === 'string' ? text : 'error')
          }
        },
      },
      ...(context && {
        mixin: context as (fields: object) => object,
        mixinMergeStrategy: (fields, added?: object) => (added === undefined ? fields : { ...added, ...fields }),
      }),
    },
    destination,
  )
  const { child } = logger
  logger.child = function (this: Formatted, bindings, options) {
    const { log } = this[pino.symbols.formattersSym]
    try {
      const bound = log(omit(bindings, ['message']))
      const names = Object.keys(bound)
      const formatters = { ...options?.formatters, log: (fields: object) => omit(log(fields), names) }
      return child.call(this, bound, { ...options, formatters })
    } catch {
      return child.call(this, UNREADABLE, options)
    }
  } as typeof child
  return logger
}
