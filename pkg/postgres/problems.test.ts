import { expect, test } from '@jest/globals'
import { findStoreProblem, withStoreProblems } from './problems.ts'

const coded = (code: string) => Object.assign(new Error('as the driver says it'), { code })

test.each([
  [coded('23505'), 'conflict'],
  [coded('57P01'), 'database_unavailable'],
  [coded('57014'), 'database_unavailable'],
  [coded('08006'), 'database_unavailable'],
  [coded('53300'), 'database_unavailable'],
  [coded('28P01'), 'database_unavailable'],
  [coded('3D000'), 'database_unavailable'],
  [coded('40P01'), 'database_unavailable'],
  [coded('ECONNREFUSED'), 'database_unavailable'],
  [coded('EAI_AGAIN'), 'database_unavailable'],
  [new Error('Connection terminated unexpectedly'), 'database_unavailable'],
  [new Error('Connection terminated due to connection timeout'), 'database_unavailable'],
  [new Error('timeout exceeded when trying to connect'), 'database_unavailable'],
  [new Error('Query read timeout'), 'database_unavailable'],
  [new Error('Client has encountered a connection error and is not queryable'), 'database_unavailable'],
  // Defects of this program: a missing table, a value that no column accepts.
  [coded('42P01'), undefined],
  [coded('23502'), undefined],
  [coded('22P02'), undefined],
  [new TypeError('undefined is not a function'), undefined],
  [coded('precondition_failed'), undefined],
])('%s %j is the failure %s', (error, expected) => {
  expect(findStoreProblem(error)).toBe(expected)
})

test('a store fails with the code and keeps the cause, and rethrows other errors', async () => {
  const cause = coded('23505')
  const mistake = coded('42P01')
  const store = withStoreProblems({
    find: async (id: string) => `found ${id}`,
    insert: () => Promise.reject(cause),
    broken: () => Promise.reject(mistake),
  })
  expect(await store.find('1')).toBe('found 1')
  await expect(store.insert()).rejects.toMatchObject({ code: 'conflict', cause })
  await expect(store.broken()).rejects.toBe(mistake)
})
