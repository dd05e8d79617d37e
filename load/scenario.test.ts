import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test } from '@jest/globals'
import { fillRequest } from './request.ts'
import { parseScenario, readScenario } from './scenario.ts'

const minimal = {
  title: 'Pings',
  operations: [{ name: 'ping', weight: 1, path: '/ping' }],
  steps: [{ rate: 100, durationS: 5 }],
  limits: { upTo: 100, p99Ms: 50 },
}

const parse = (changes: object) => parseScenario(JSON.stringify({ ...minimal, ...changes }), 'test.json')

test('every scenario of the folder is valid', () => {
  const names = globSync('load/scenarios/*.json').map((file) => basename(file, '.json'))
  expect(names).toContain('ping')
  for (const name of names) expect(readScenario(name).operations.length).toBeGreaterThan(0)
})

test('the scenario of the page is valid', () => {
  const [, example = ''] = /```json\n(.*?)```/s.exec(readFileSync('docs/capacity.md', 'utf8')) ?? []
  expect(parseScenario(example, 'docs/capacity.md').session).toEqual({ requests: 3, thinkMs: [500, 1_000] })
})

test('a short scenario has defaults', () => {
  expect(parse({})).toMatchObject({
    data: {},
    timeoutMs: 5_000,
    warmUpS: 2,
    operations: [{ method: 'GET', headers: {} }],
    limits: { errorShare: 0 },
  })
})

test('the problems of a scenario are reported together, each with its place', () => {
  const changes = {
    data: { uuid: ['1'] },
    operations: [{ name: 'read', weight: 0, path: 'v1/{{thingId}}' }],
    session: { requests: 3, thinkMs: [10, 5] },
    steps: [],
  }
  expect(() => parse(changes)).toThrow(
    /test\.json is not a valid scenario:\n {2}operations\.0\.weight: .*\n {2}operations\.0\.path: .*\n {2}session\.thinkMs: .*\n {2}steps: /,
  )
  const contradictions = {
    data: { uuid: ['1'] },
    operations: [{ name: 'read', weight: 1, path: '/v1/things/{{thingId}}' }],
    session: { requests: 4, thinkMs: [0, 1_000] },
    limits: { upTo: 50, p99Ms: 50 },
  }
  expect(() => parse(contradictions)).toThrow(
    [
      'test.json is not a valid scenario:',
      '  operations.0: unknown placeholder {{thingId}}',
      '  data.uuid: a built-in placeholder has this name',
      '  warmUpS: expected at least 3, the longest session, because the rate rises until then',
      '  limits.upTo: no step has a rate up to this limit',
    ].join('\n'),
  )
})

test('a file that is not JSON is reported with its name', () => {
  expect(() => parseScenario('{ text', 'test.json')).toThrow(/^test\.json is not a JSON file: .*at position 2\b[^\n]*$/)
})

test('an unknown scenario is reported with the names of the scenarios', () => {
  expect(() => readScenario('pong')).toThrow(/unknown scenario pong: expected .*\bping/)
})

test('placeholders are filled, encoded in the path, and keep their type in the body', () => {
  const request = {
    method: 'POST',
    path: '/v1/{{place}}',
    headers: { 'idempotency-key': 'key-{{index}}' },
    body: { amount: '{{amount}}', note: 'to {{place}}', lines: ['{{place}}'] },
  } as const
  const data = { place: ['a/b'], amount: [12] }
  expect(fillRequest({ ...request, body: { ...request.body, lines: [...request.body.lines] } }, data, 7)).toEqual({
    method: 'POST',
    path: '/v1/a%2Fb',
    headers: { 'content-type': 'application/json', 'idempotency-key': 'key-7' },
    body: '{"amount":12,"note":"to a/b","lines":["a/b"]}',
  })
})

test('each request gets a UUID of its own', () => {
  const fill = () => fillRequest({ method: 'GET', path: '/{{uuid}}', headers: {} }, {}, 0).path
  expect(fill()).toMatch(/^\/[0-9a-f-]{36}$/)
  expect(fill()).not.toBe(fill())
})
