import { expect, test } from '@jest/globals'
import { createLogger } from '#pkg/logging/index.ts'
import { collectLines, findLineProblems } from './support/log-fields.ts'

const { lines, ...options } = collectLines()
createLogger(options).info({ 'http.request.id': 'r-1', 'App.migrations': ['a'] }, 'hello')
const [line = {}] = lines

test.each([
  ['every documented field', {}, []],
  ['a misnamed field', { reqId: 'r-1' }, ['reqId is not in docs/logs.md']],
  ['a nested field', { http: { request: { id: 'r-1' } } }, ['http is not in docs/logs.md']],
  ['a number as a text', { 'server.port': '8080' }, ['server.port is not a long: "8080"']],
  ['a fraction', { 'event.duration': 0.5 }, ['event.duration is not a long: 0.5']],
  ['an address that is no IP address', { 'client.ip': 'unknown' }, ['client.ip is not a ip: "unknown"']],
  ['null', { 'http.response.body.bytes': null }, ['http.response.body.bytes is not a long: null']],
  ['a list with a number', { 'App.migrations': [1] }, ['App.migrations is not a list of keyword: [1]']],
  ['no level', { 'log.level': undefined }, ['log.level is not a keyword: undefined']],
])('a log line is compared with docs/logs.md: %s', (_name, change, problems) => {
  expect(findLineProblems({ ...line, ...change })).toEqual(problems)
})

test('the comparison reports a missing field that every line has', () => {
  const { 'service.name': _name, ...rest } = line
  expect(findLineProblems(rest)).toEqual(['service.name is missing'])
})
