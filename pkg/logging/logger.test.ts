import { expect, test } from '@jest/globals'
import { createLogger, type LoggerOptions } from './logger.ts'

function capture(options: Omit<LoggerOptions, 'destination'> = {}) {
  const lines: string[] = []
  return { lines, logger: createLogger({ ...options, destination: { write: (line) => void lines.push(line) } }) }
}

const first = (lines: readonly string[]) => JSON.parse(lines[0] ?? 'null')

test('a line is one JSON object with level, time, base fields, context, own fields and message', () => {
  const { lines, logger } = capture({ base: { service: 'x' }, context: () => ({ reqId: 'r-1' }) })
  logger.warn({ a: 1 }, 'hello\nthere')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]*\n$/)
  expect(first(lines)).toEqual({
    level: 'warn',
    time: expect.stringMatching(/Z$/),
    service: 'x',
    reqId: 'r-1',
    a: 1,
    msg: 'hello\nthere',
  })
})

test("a line's own field takes precedence over the context and is written once", () => {
  const { lines, logger } = capture({ context: () => ({ reqId: 'outer' }) })
  logger.info({ reqId: 'own' })
  expect(lines[0]?.match(/reqId/g)).toHaveLength(1)
  expect(first(lines).reqId).toBe('own')
})

test.each([
  { authorization: 'hunter2' },
  { cookie: 'hunter2' },
  { user: { password: 'hunter2' } },
  { headers: { authorization: 'hunter2', 'set-cookie': ['hunter2'], 'x-api-key': 'hunter2' } },
  { req: { headers: { cookie: 'hunter2' } } },
  { items: [{ Authorization: 'hunter2' }, { b: 1 }] },
  { cause: Object.assign(new Error('x'), { token: 'hunter2' }) },
  { err: Object.assign(new Error('x'), { config: { headers: { authorization: 'hunter2' } } }) },
  { later: { toJSON: () => ({ token: 'hunter2' }) } },
  { config: { token: 'hunter2', secret: 'hunter2', apiKey: 'hunter2' } },
])('secrets are not written: %j', (fields) => {
  const { lines, logger } = capture()
  logger.info(fields)
  expect(lines[0]).not.toContain('hunter2')
  expect(lines[0]).toContain('***')
})

test('the message, the stack and the cause of an error are written without the credentials of their URLs', () => {
  const { lines, logger } = capture()
  const cause = new Error('connect redis://:hunter2@cache:6379')
  logger.error({ err: new Error('cannot reach postgres://app:hunter2@db:5432/app', { cause }) }, 'failed')
  expect(lines[0]).not.toContain('hunter2')
  expect(lines[0]).toContain('postgres://***@db:5432/app')
})

test.each([
  new AggregateError([new Error('postgres://app:hunter2@db')], 'both failed'),
  Object.assign(new TypeError('Invalid URL'), { input: 'redis://:hunter2@h' }),
  new Error('postgres://app:p/hunter2@x@db/app'),
  'thrown: redis://:hunter2@h',
])('a thrown value is written without the credentials in it: %s', (err) => {
  const { lines, logger } = capture()
  logger.error({ err })
  logger.error({ err }, 'failed')
  expect(lines).toHaveLength(2)
  expect(lines.join()).not.toContain('hunter2')
})

test('an error keeps its code and its stack', () => {
  const { lines, logger } = capture()
  logger.error({ err: Object.assign(new Error('bad'), { code: 'E_BAD' }) })
  expect(first(lines).err).toMatchObject({
    type: 'Error',
    message: 'bad',
    code: 'E_BAD',
    stack: expect.stringContaining('logger.test.ts'),
  })
})

test('lists, URLs and dates without a secret keep their form', () => {
  const { lines, logger } = capture()
  logger.info({ list: [{ token: 'x' }, 2], url: new URL('http://h/p'), at: new Date(0) })
  expect(first(lines)).toMatchObject({
    list: [{ token: '***' }, 2],
    url: 'http://h/p',
    at: '1970-01-01T00:00:00.000Z',
  })
})

test("a child's fields and an error without a text are written without credentials", () => {
  const { lines, logger } = capture()
  logger.child({ token: 'hunter2', headers: { cookie: 'hunter2' } }).info('x')
  logger.error(new Error('connect postgres://u:hunter2@h/db'))
  logger.error(new Error('connect postgres://u:hunter2@h/db'), 'failed')
  expect(lines).toHaveLength(3)
  expect(lines.join()).not.toContain('hunter2')
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({ msg: 'failed', err: { message: 'connect postgres://***@h/db' } })
})
