import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { readFields } from '../resource/fields.ts'
import { makeResource } from '../resource/files.ts'
import { format } from '../resource/format.ts'
import { readNames } from '../resource/names.ts'
import { selectLines } from './select.ts'

const named = readNames({ NAME: 'note' })
const having = readFields('title:string:unique,text:text')
if ('problems' in named || 'problems' in having) throw new Error('the example has a name and fields')

/** A service without the example. */
const read = (path: string) => selectLines(readFileSync(path, 'utf8'), () => false)
const { written, edited } = makeResource({
  names: named.names,
  fields: having.fields,
  read,
  migrations: ['0001-updated-at.ts', 'index.ts'],
})

test.each([...written, ...edited])('%s of the example is what make resource writes', (path, text) => {
  const example = selectLines(readFileSync(path, 'utf8'), (part) => part === 'example')
  expect(format(path, text)).toBe(example)
})

test('the example has no other files of its own kind', () => {
  expect([...written.keys()]).toContain('internal/store/migrations/0002-notes.ts')
  expect(written.size).toBe(7)
})
