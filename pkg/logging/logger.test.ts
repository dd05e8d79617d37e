import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { createLogger, type LoggerOptions } from './logger.ts'

function capture(options: Omit<LoggerOptions, 'destination'> = {}) {
  const lines: string[] = []
  return { lines, logger: createLogger({ ...options, destination: { write: (line) => void lines.push(line) } }) }
}

const first = (lines: readonly string[]) => JSON.parse(lines[0] ?? 'null')

test('a line is one JSON object with level, time, version of ECS, base fields, context, own fields and message', () => {
  const { lines, logger } = capture({ base: { 'service.name': 'x' }, context: () => ({ 'http.request.id': 'r-1' }) })
  logger.warn({ 'App.a': 1 }, 'hello\nthere')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^[^\n]*\n$/)
  expect(first(lines)).toEqual({
    'log.level': 'warn',
    '@timestamp': expect.stringMatching(/Z$/),
    'ecs.version': '8.17.0',
    'service.name': 'x',
    'http.request.id': 'r-1',
    'App.a': 1,
    message: 'hello\nthere',
  })
})

test("a line's own field takes precedence over the context and is written once", () => {
  const { lines, logger } = capture({ context: () => ({ 'http.request.id': 'outer' }) })
  logger.info({ 'http.request.id': 'own' })
  expect(lines[0]?.match(/http\.request\.id/g)).toHaveLength(1)
  expect(first(lines)['http.request.id']).toBe('own')
})

test('a field of every line is written once, and the line does not replace it', () => {
  const { lines, logger } = capture({ base: { 'service.name': 'x' } })
  const fields = {
    '@timestamp': 'a',
    'log.level': 'b',
    'ecs.version': 'c',
    'service.name': 'd',
    message: 'e',
    'App.f': 1,
  }
  logger.info(fields, 'hello')
  logger.child(fields).info('hello')
  for (const line of lines) {
    for (const name of Object.keys(fields)) expect(line.split(`"${name}":`)).toHaveLength(2)
    expect(JSON.parse(line)).toMatchObject({ 'log.level': 'info', 'service.name': 'x', message: 'hello', 'App.f': 1 })
  }
  expect(lines).toHaveLength(2)
  logger.info({ message: 'alone' })
  expect(JSON.parse(lines.at(-1) ?? '')).toMatchObject({ message: 'alone' })
})

test('a field of a child is written once. The line, the context and a child of the child cannot replace it', () => {
  const { lines, logger } = capture({ context: () => ({ 'http.request.id': 'context' }) })
  const child = logger.child({ 'http.request.id': 'child', 'App.a': 1 })
  child.info({ 'App.a': 2, 'App.b': 3 }, 'hello')
  child.child({ 'App.a': 4, 'App.c': 5 }).info({ 'App.a': 6, 'App.c': 7 }, 'hello')
  for (const line of lines) {
    const names = [...line.matchAll(/"([\w.@]+)":/g)].map(([, name]) => name)
    expect(names).toEqual([...new Set(names)])
  }
  expect(lines.map((line) => JSON.parse(line))).toMatchObject([
    { 'http.request.id': 'child', 'App.a': 1, 'App.b': 3 },
    { 'http.request.id': 'child', 'App.a': 1, 'App.c': 5 },
  ])
})

const refuse = () => {
  throw new Error('refused')
}
const revoked = () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const withGetter = (object: object, name: string) =>
  Object.defineProperty(object, name, { get: refuse, enumerable: true })

test.each([
  ['a getter that throws', withGetter({}, 'a')],
  ['a nested getter that throws', { a: withGetter({}, 'b') }],
  ['a toJSON that throws', { a: { toJSON: refuse } }],
  ['a revoked proxy', { a: revoked() }],
  ['an error whose stack throws', { err: withGetter(new Error('x'), 'stack') }],
  ['an error with a property that throws', { err: withGetter(new Error('x'), 'detail') }],
  ['an error whose message is no text', { err: Object.assign(new Error('x'), { message: Object.create(null) }) }],
])('a line with %s is written without its fields, and nothing is thrown', (_what, fields) => {
  const { lines, logger } = capture({ context: () => ({ 'http.request.id': 'r-1' }) })
  logger.error(fields, 'hello')
  logger.child(fields).info('hello')
  const error = { 'error.message': 'the fields of this line cannot be read' }
  for (const line of lines)
    expect(JSON.parse(line)).toMatchObject({ 'http.request.id': 'r-1', message: 'hello', ...error })
  expect(lines).toHaveLength(2)
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

test('a request and a response of Node are written without their headers', () => {
  const request = Object.assign(new IncomingMessage(new Socket()), { rawHeaders: ['authorization', 'hunter2'] })
  const response = new ServerResponse(request).writeHead(401, { 'www-authenticate': 'hunter2' })
  const { lines, logger } = capture()
  logger.info({ request, response, nested: { request, list: [response] } }, 'hello')
  logger.info({ err: Object.assign(new Error('x'), { request, cause: { response } }) }, 'hello')
  expect(lines).toHaveLength(2)
  expect(lines.join()).not.toContain('hunter2')
})

test('the message, the stack and the cause of an error are written without the credentials of their URLs', () => {
  const { lines, logger } = capture()
  const cause = new Error('connect redis://:hunter2@cache:6379')
  logger.error({ err: new Error('cannot reach postgres://app:hunter2@db:5432/app', { cause }) }, 'failed')
  expect(lines[0]).not.toContain('hunter2')
  expect(lines[0]).toContain('postgres://***@db:5432/app')
})

test('an error of PostgreSQL is written without the values of rows', () => {
  const { lines, logger } = capture()
  const values = { detail: 'Failing row contains (hunter2).', where: 'JSON data, line 1: hunter2' }
  const cause = Object.assign(new Error('violates a constraint'), { severity: 'ERROR', constraint: 'age', ...values })
  logger.error({ err: cause }, 'failed')
  logger.error({ err: new Error('failed', { cause }) }, 'failed')
  for (const line of lines) expect(JSON.parse(line)['error.stack_trace']).toContain('"constraint":"age"}')
  expect(lines).toHaveLength(2)
  expect(lines.join()).not.toContain('hunter2')
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

test('an error has its type, message, code and stack in ECS fields, and no other fields', () => {
  const { lines, logger } = capture()
  logger.error({ err: Object.assign(new TypeError('bad'), { code: 'E_BAD', detail: 'x' }) }, 'failed')
  expect(first(lines)).toEqual({
    'log.level': 'error',
    '@timestamp': expect.any(String),
    'ecs.version': expect.any(String),
    'error.type': 'TypeError',
    'error.message': 'bad',
    'error.code': 'E_BAD',
    'error.stack_trace': expect.stringContaining('logger.test.ts'),
    message: 'failed',
  })
})

test('the stack trace contains the properties and the causes of an error', () => {
  const { lines, logger } = capture()
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED', port: 5432 })
  const both = new AggregateError([refused, new RangeError('too late')], 'both failed')
  logger.error({ err: new Error('cannot start', { cause: both }) })
  const trace: string = first(lines)['error.stack_trace']
  expect(trace.match(/^(Error|AggregateError|caused by: \w+): .*$/gm)).toEqual([
    'Error: cannot start',
    'caused by: AggregateError: both failed',
    'caused by: Error: connect ECONNREFUSED',
    'caused by: RangeError: too late',
  ])
  expect(trace).toContain('\n    {"code":"ECONNREFUSED","port":5432}\ncaused by: RangeError')
})

test('a circular cause, and properties that JSON cannot represent, do not break a line', () => {
  const { lines, logger } = capture()
  const error = Object.assign(new Error('outer'), { big: 1n, bytes: Buffer.from('x'), code: 7 })
  const circular = { error, self: {} }
  circular.self = circular
  error.cause = Object.assign(new Error('inner', { cause: error }), { circular })
  logger.error({ err: error })
  expect(first(lines)).toMatchObject({ 'error.code': '7', 'error.message': 'outer' })
  expect(first(lines)['error.stack_trace']).toContain('\n    {"big":"1","bytes":"…"}\ncaused by: Error: inner')
})

test('the stack trace contains at most ten causes', () => {
  const { lines, logger } = capture()
  const many = Array.from({ length: 1_000 }, (_, index) => new Error(`cause ${index}`))
  logger.error({ err: new AggregateError(many, 'all failed') })
  expect(first(lines)['error.stack_trace'].match(/caused by:/g)).toHaveLength(10)
})

test('a large message, large properties and a large cause are cut, so that the line fits into the output', () => {
  const large = 'x'.repeat(2 * 1024 * 1024)
  for (const thrown of [Object.assign(new Error(large, { cause: { large } }), { large }), { large }, large]) {
    const { lines, logger } = capture()
    logger.error({ err: thrown }, 'request failed')
    expect(first(lines)).toMatchObject({ message: 'request failed', 'error.message': expect.stringMatching(/xxx…$/) })
    expect(lines[0]?.length).toBeLessThan(128 * 1024)
  }
})

test('many large causes of an error are cut, so that the line fits into the output and the log pipeline', () => {
  const { lines, logger } = capture()
  // JSON renders this character with six bytes.
  const large = '\u0001'.repeat(20_000)
  const many = Array.from({ length: 10 }, () => Object.assign(new Error(large), { large }))
  logger.error({ err: new AggregateError(many, large) }, 'request failed')
  expect(first(lines)).toMatchObject({ message: 'request failed', 'error.stack_trace': expect.stringMatching(/…$/) })
  expect(Buffer.byteLength(lines[0] ?? '')).toBeLessThan(512 * 1024)
})

test('the logger does not call functions in the properties of an error', () => {
  const { lines, logger } = capture()
  const toJSON = () => {
    throw new Error('called')
  }
  logger.error({ err: Object.assign(new Error('bad'), { detail: { toJSON, a: 1 } }) })
  expect(first(lines)['error.stack_trace']).toContain('{"detail":{"a":1}}')
})

test('a thrown value that is not an error has a message and the type of the value', () => {
  const { lines, logger } = capture()
  logger.error({ err: 'just a text' }, 'failed')
  logger.error({ err: { status: 3, token: 'hunter2' } }, 'failed')
  logger.error({ err: undefined }, 'failed')
  expect(lines.map((line) => [JSON.parse(line)['error.type'], JSON.parse(line)['error.message']])).toEqual([
    ['string', 'just a text'],
    ['object', '{"status":3,"token":"***"}'],
    [undefined, undefined],
  ])
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
  expect(JSON.parse(lines[2] ?? '')).toMatchObject({
    message: 'failed',
    'error.message': 'connect postgres://***@h/db',
  })
})
