import { expect, test } from '@jest/globals'
import { type Logger, pino } from 'pino'
import { renderFieldsAtOnce } from './log-line.ts'

function createLogger(lines: string[]): Logger {
  return pino(
    {
      base: { 'service.name': 'test' },
      messageKey: 'message',
      timestamp: () => ',"@timestamp":"2026-01-01T00:00:00.000Z"',
      formatters: {
        level: (label) => ({ 'log.level': label }),
        log: (fields) => ('secret' in fields ? { ...fields, secret: '***' } : fields),
      },
    },
    { write: (line) => lines.push(line) },
  )
}

const circular: Record<string, unknown> = { name: 'circular' }
circular['self'] = circular

const uses: Readonly<Record<string, (logger: Logger) => void>> = {
  'no fields': (logger) => logger.info('text'),
  'empty fields': (logger) => logger.info({}, 'text'),
  'fields of a request': (logger) =>
    logger.info({ 'url.path': '/a"b\\ü\u2028\ud800', 'event.duration': 12.5, 'event.outcome': undefined }, 'request'),
  'a text that JSON escapes': (logger) => logger.info({ a: 1 }, 'a "quoted"\n%s text', 'formatted'),
  'no text': (logger) => logger.info({ a: 1 }),
  'numbers that JSON cannot represent': (logger) => logger.info({ a: NaN, b: -Infinity, c: -0, d: 1e21 }, 'text'),
  'functions, symbols and null': (logger) => logger.info({ a() {}, b: Symbol('b'), c: null, d: true }, 'text'),
  'nested values': (logger) => logger.info({ a: { b: [1, undefined, { c: 'd' }] }, e: new Date(0), f: /x/ }, 'text'),
  'names in numeric order': (logger) => logger.info({ b: 1, 2: 2, 1: 1 }, 'text'),
  'a big integer': (logger) => logger.info({ a: 1n, b: 2 }, 'text'),
  'a circular object': (logger) => logger.info(circular, 'text'),
  'an inherited field': (logger) => logger.info(Object.create({ a: 1 }, { b: { value: 2, enumerable: true } }), 'text'),
  'an object with toJSON': (logger) => logger.info({ a: 1, toJSON: () => ({ b: 2 }) }, 'text'),
  'a list': (logger) => logger.info(['a', 'b'], 'text'),
  'an error': (logger) => logger.info({ err: 'broken' }, 'text'),
  'a formatted field': (logger) => logger.error({ secret: 'x', a: 1 }, 'text'),
  'a child': (logger) => logger.child({ own: 1 }).warn({ a: 1 }, 'text'),
  'a child with a serializer': (logger) =>
    logger.child({}, { serializers: { a: (value: number) => value + 1 } }).info({ a: 1 }, 'text'),
  'a child with redaction': (logger) => logger.child({}, { redact: ['a.b'] }).info({ a: { b: 1 } }, 'text'),
  'a child with a prefix': (logger) => logger.child({}, { msgPrefix: 'prefix ' }).info({ a: 1 }, 'text'),
}

test.each(Object.keys(uses))('fields rendered at once have the bytes of pino with %s', (name) => {
  const [expected, actual]: [string[], string[]] = [[], []]
  uses[name]?.(createLogger(expected))
  const fast = createLogger(actual)
  renderFieldsAtOnce(fast)
  uses[name]?.(fast)
  expect(expected).toHaveLength(1)
  expect(actual).toEqual(expected)
})
