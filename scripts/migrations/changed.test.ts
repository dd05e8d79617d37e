import { expect, test } from '@jest/globals'
import { findChanged } from './changed.ts'

const first = { '20261201000000-a': { up: 'select 1' }, '20261201000001-b': { up: ['select 2'], transaction: false } }
const { hashes } = findChanged(first, {}, Object.keys(first))

test('a migration that the database has run has changed when its statements or its transaction have', () => {
  expect(findChanged(first, hashes, [])).toEqual({ changed: [], hashes })
  const edited = { ...first, '20261201000000-a': { up: 'select 3' } }
  expect(findChanged(edited, hashes, [])).toEqual({ changed: ['20261201000000-a'], hashes })
  const inTransaction = { ...first, '20261201000001-b': { up: ['select 2'] } }
  expect(findChanged(inTransaction, hashes, []).changed).toEqual(['20261201000001-b'])
  expect(
    findChanged({ ...first, '20261201000001-b': { up: 'select 3', phase: 'contract' as const } }, {}, []).changed,
  ).toEqual([])
})

test('a migration that the database has just run has not changed', () => {
  const edited = { ...first, '20261201000000-a': { up: 'select 3' } }
  const again = findChanged(edited, hashes, ['20261201000000-a'])
  expect(again.changed).toEqual([])
  expect(findChanged(edited, again.hashes, []).changed).toEqual([])
})
