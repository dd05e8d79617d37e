import { SourceMap } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import { createStackTraceMapper } from './index.ts'
import { parseSourceMap } from './source-map.ts'

/** Two generated lines. The second has a segment without a source after column 9. */
const map = {
  version: 3,
  sources: ['../internal/handler/ping.ts', '../../app/node_modules/router/index.js'],
  names: ['a'],
  mappings: 'AAAA,SAASA,IAAI;ACoCL,SAAS,S,YDlCJ',
}
const text = JSON.stringify(map)

describe('a source map', () => {
  test('gives the positions that Node finds in it', () => {
    const find = parseSourceMap(text)
    const reference = new SourceMap({ ...map, file: '', sourcesContent: [], sourceRoot: '' })
    for (const line of [1, 2]) {
      for (let column = 1; column < 40; column++) {
        const entry = reference.findEntry(line - 1, column - 1)
        const isMapped = 'originalSource' in entry && entry.originalSource !== undefined
        const expected = isMapped && {
          source: entry.originalSource,
          line: entry.originalLine + 1,
          column: entry.originalColumn + 1,
        }
        expect({ line, column, position: find(line, column) }).toEqual({
          line,
          column,
          position: expected || undefined,
        })
      }
    }
    expect(find(2, 1)).toEqual({ source: map.sources[1], line: 37, column: 9 })
  })

  test('has no source for positions outside of it', () => {
    const find = parseSourceMap(text)
    for (const [line, column] of [
      [0, 1],
      [-1, 1],
      [3, 1],
      [1e9, 1],
      [1, 0],
      [Number.NaN, 1],
    ] as const) {
      expect(find(line, column)).toBeUndefined()
    }
  })
})

const stack = `Error: not at (server.cjs:1:1)
    at server.cjs:1:1: the second line of the message
    at fail (/dist/server.cjs:1:1)
    at async /dist/server.cjs:2:12
    at new Other (/other/dist/server.cjs:1:1)
    at processImmediate (node:internal/timers:1:1)`

const createMapper = (readMap: () => string) => createStackTraceMapper({ file: '/dist/server.cjs', readMap })

test('frames of the file show source positions, and the rest of the stack trace stays', () => {
  expect(createMapper(() => text)(stack)).toBe(
    stack
      .replace('fail (/dist/server.cjs:1:1)', 'fail (internal/handler/ping.ts:1:1)')
      .replace('async /dist/server.cjs:2:12', 'async app/node_modules/router/index.js:37:18'),
  )
})

test('the first stack trace that contains the file reads the map, and later ones do not read it again', () => {
  let reads = 0
  const mapStack = createMapper(() => {
    reads++
    return text
  })
  mapStack('Error: of /dist/server.cjs:1:1\n    at main (/other.js:1:1)')
  mapStack('Error: without frames, of /dist/server.cjs:1:1')
  expect(reads).toBe(0)
  for (const _ of [1, 2]) mapStack(stack)
  mapStack('Error\n    at /dist/server.cjs:2:1')
  expect(reads).toBe(1)
})

test.each([
  ['that cannot be read', () => JSON.parse('{')],
  ['that is empty', () => ''],
  ['that is cut', () => text.slice(0, -20)],
  ['that is null', () => 'null'],
  ['of another version', () => JSON.stringify({ ...map, version: 2 })],
  ['without sources', () => JSON.stringify({ ...map, sources: undefined })],
  ['whose sources are no texts', () => JSON.stringify({ ...map, sources: [1, null] })],
  ['with too few sources', () => JSON.stringify({ ...map, sources: [] })],
  ['without mappings', () => JSON.stringify({ ...map, mappings: 7 })],
  ['whose mappings have a foreign character', () => JSON.stringify({ ...map, mappings: 'AA?A' })],
  ['whose mappings have too many fields', () => JSON.stringify({ ...map, mappings: 'AAAAAA' })],
])('a map %s leaves the stack trace as it is', (_name, readMap) => {
  expect(createMapper(readMap)(stack)).toBe(stack)
})

test('a map with huge numbers does no harm', () => {
  const mappings = `${'g'.repeat(500)}A,${'/'.repeat(500)}A,A`
  expect(createMapper(() => JSON.stringify({ ...map, mappings }))(stack)).toContain('Error: not at')
})
