import { expect, test } from '@jest/globals'
import { audit, createLedger, type Row } from './ledger.ts'

const row = (id: string, change: Partial<Row> = {}): Row => ({
  id,
  title: `key-${id}`,
  version: 3,
  text: '2',
  ...change,
})

function createFilled() {
  const ledger = createLedger()
  ledger.notes.set('own', { title: 'key-own', version: 3, text: '2' })
  ledger.deleted.add('deleted')
  ledger.shared.set('shared', { acknowledged: [2], unknown: 1 })
  return ledger
}

test('rows that agree with the ledger are no problem', () => {
  expect(audit(createFilled(), [row('own'), row('shared')])).toEqual([])
})

test.each<[string, Row[], RegExp]>([
  ['a note that is missing', [row('shared')], /^lost: note own of key key-own/],
  ['an older version', [row('own', { version: 2 }), row('shared')], /^lost update: note own has version 2/],
  ['the text of another update', [row('own', { text: '1' }), row('shared')], /^lost update: note own/],
  ['a note that was deleted', [row('own'), row('shared'), row('deleted')], /^came back: note deleted/],
  ['a note that no client knows', [row('own'), row('shared'), row('other')], /^created twice: key key-other/],
  [
    'a count that misses an update',
    [row('own'), row('shared', { text: '1' })],
    /^lost update: note shared counts 1 of 2/,
  ],
  ['more updates than requests', [row('own'), row('shared', { version: 4, text: '3' })], /^note shared: 3 updates/],
  ['fewer updates than responses', [row('own'), row('shared', { version: 1, text: '0' })], /ends at version 1/],
])('%s is a problem', (_name, rows, expected) => {
  expect(audit(createFilled(), rows)).toContainEqual(expect.stringMatching(expected))
})

test('two updates that made the same version are a problem', () => {
  const ledger = createFilled()
  ledger.shared.get('shared')?.acknowledged.push(2)
  expect(audit(ledger, [row('own'), row('shared')])).toEqual(['two updates made one version of note shared'])
})
