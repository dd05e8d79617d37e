import type { Transform } from 'node:stream'
import pretty from 'pino-pretty'

type Line = Readonly<Record<string, unknown>>

/** Fields to hide: they are the same in every line, repeat another field, or are part of the message. */
const HIDDEN = [
  'ecs.version',
  'service.name',
  'service.version',
  'process.pid',
  'event.action',
  'client.ip',
  'http.request.method',
  'url.path',
  'http.response.status_code',
  'event.duration',
  'error.type',
  'span.id',
]

/** Control characters other than tab and line feed. A terminal would interpret them. */
const CONTROL = /[^\P{Cc}\t\n]/gu

/** pino-pretty interprets a dot as a level of nesting. */
const escapeDots = (name: string) => name.replaceAll('.', '\\.')

/** Returns the message, and for a request its method, path, status and duration. */
function renderMessage(line: Line): string {
  const duration = line['event.duration']
  const parts = [
    line['message'],
    line['http.request.method'],
    line['url.path'],
    line['http.response.status_code'],
    typeof duration === 'number' ? `${(duration / 1e6).toFixed(1)} ms` : undefined,
  ]
  return parts
    .filter((part) => part !== undefined)
    .join(' ')
    .replace(CONTROL, '')
}

/**
 * Creates a stream that turns the log of the service into readable lines: time, level, message, and the other fields as
 * JSON. The stack of an error follows. Text that is not a log line passes through.
 *
 * @param destination a stream or a file descriptor. @default standard output
 */
export function createReadableLog(destination: NodeJS.WritableStream | number = 1): Transform {
  return pretty({
    destination: destination as NodeJS.WritableStream,
    messageKey: 'message',
    levelKey: escapeDots('log.level'),
    timestampKey: '@timestamp',
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: HIDDEN.map(escapeDots).join(),
    messageFormat: renderMessage,
    errorLikeObjectKeys: ['error.stack_trace'],
    customPrettifiers: { 'error.stack_trace': (stack) => String(stack).replace(CONTROL, '') },
    singleLine: true,
  }) as unknown as Transform
}
