import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { listFiles } from '../git.ts'
import { listExisting } from '../resource/existing.ts'
import { readFields } from '../resource/fields.ts'
import { makeResource, unmakeResource } from '../resource/files.ts'
import { format } from '../resource/format.ts'
import { readNames } from '../resource/names.ts'

const names = readNames({ NAME: 'note' })
const fields = readFields('title:string:unique,text:text')

const read = (path: string) => readFileSync(path, 'utf8')
const paths = listFiles()
const { deleted, edited, migration } = unmakeResource({ names, read }, paths)
const example = makeResource({
  names,
  fields,
  read: (path) => edited.get(path) ?? read(path),
  migrations: [],
  now: new Date('2026-11-22T20:46:02Z'),
})

test.each([...example.written])('make resource writes %s of the example', (path, text) => {
  // The migration of the example had another name before the names of migrations began with times.
  expect(format(path, text)).toBe(read(path).replace(/^export const formerly = .*\n\n/m, ''))
})

test.each([...example.edited])('make resource registers the example in %s, beside other resources', (path, text) => {
  // Other resources follow the example, and make resource adds a resource at the end.
  const lines = (text: string) => text.split('\n').sort()
  expect(lines(format(path, text))).toEqual(lines(read(path)))
})

test('EXAMPLE=no removes every file of the example, and its other tests', () => {
  expect(migration).toBe('20261122204602-notes')
  expect(deleted).toEqual(expect.arrayContaining([...example.written.keys()]))
  const others = deleted.filter((path) => !example.written.has(path))
  expect(others).toEqual(expect.arrayContaining(['test/browser/notes.test.ts']))
  expect(others.filter((path) => !/^(test|bench|chaos|load)\//.test(path))).toEqual(['internal/store/seeds/notes.sql'])
})

test('a field of another resource can refer to the example', () => {
  expect(listExisting(paths).map((each) => each['user-profile'])).toContain('note')
})
