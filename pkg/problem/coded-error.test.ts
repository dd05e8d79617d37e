import { expect, test } from '@jest/globals'
import { CodedError } from './coded-error.ts'
import { HTTP_PROBLEMS, type ProblemCode, type ProblemTable } from './table.ts'

/* `tsc` fails when a line below `@ts-expect-error` compiles, so these tests fail when a misspelt code compiles. */

test('a misspelt code of an error does not compile', () => {
  // @ts-expect-error
  const error = new CodedError('not_fuond')
  expect(error).toMatchObject({ name: 'CodedError', code: 'not_fuond' })
})

test('a table that lacks a declared code does not compile', () => {
  const { internal: _, ...others } = HTTP_PROBLEMS
  // @ts-expect-error
  const table: ProblemTable<ProblemCode> = others
  expect(table).not.toHaveProperty('internal')
})

test('an error keeps its cause and its invalid fields', () => {
  const cause = new Error('the cause')
  const errors = [{ in: 'body', field: 'title', message: 'Required' }]
  const error = new CodedError('invalid_input', { cause, errors })
  expect(error).toMatchObject({ message: 'invalid input', code: 'invalid_input', cause, errors })
  expect(new CodedError('not_found')).not.toHaveProperty('errors')
})
