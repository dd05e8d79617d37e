import { expect, test } from '@jest/globals'
import { checkMigrations } from './check-migrations.ts'

const name = '20261124090000-orders'
const safe = { up: 'create table notes ()' }

test('registered migrations with a time and safe statements pass, including migrations with old numbers', () => {
  expect(checkMigrations({ [name]: safe, '0003-invoices': safe }, [name, '0003-invoices'])).toEqual([])
})

test.each([
  [{}, [name], 'is not in index.ts'],
  [{ [name]: safe }, [], 'has no file of the same name'],
  [{ '1-notes': safe }, ['1-notes'], 'does not begin with a time'],
  [{ [name]: { ...safe, fase: 'contract' } }, [name], 'exports fase'],
  [{ [name]: { up: '\n' } }, [name], 'has no SQL'],
  [{ [name]: { up: 'drop table notes' } }, [name], /«drop table notes» breaks the version .*phase = 'contract'/],
])('%j with the files %j is a problem', (migrations, files, problem) => {
  expect(checkMigrations(migrations, files)).toEqual([expect.stringMatching(problem)])
})
