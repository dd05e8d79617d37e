import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { listFiles } from '../git.ts'
import { unmakeCalls } from './calls.ts'
import { readNames } from './names.ts'

const ROUTES = 'internal/upstreams.ts'
const names = readNames({ NAME: 'refund' })

const text = `import { refunds } from './handler/refunds.ts'
import { createRefunds } from './service/refunds.ts'

const ROUTES: readonly Route[] = [
  ['refunds', (upstream) => refunds({ refunds: createRefunds({ upstream }) })],
]
`
const paths = [
  ROUTES,
  'internal/handler/refunds.test.ts',
  'internal/handler/refunds.ts',
  'internal/handler/refunds-page.ts',
  'internal/service/refunds.ts',
  'test/refunds.test.ts',
  'test/refunds/scenarios/slow.ts',
]

test('the files of the operations and their lines are removed, and the list stays formatted', () => {
  const removal = unmakeCalls({ names, read: () => text }, paths)
  expect(removal?.deleted).toEqual(paths.filter((path) => path !== ROUTES && !path.includes('page')))
  expect(removal?.edited.get(ROUTES)).toBe('\nconst ROUTES: readonly Route[] = []\n')
})

test('operations that the list does not have, and a project without the list, are left alone', () => {
  expect(unmakeCalls({ names, read: () => '' }, paths)).toBeUndefined()
  expect(unmakeCalls({ names, read: () => text }, [])).toBeUndefined()
})

test('a changed list is refused', () => {
  const changed = text.replace("  ['refunds', ", "  ['refund', ")
  expect(() => unmakeCalls({ names, read: () => changed }, paths)).toThrow('does not have two imports and one line')
})

test('a project that lists its payments can remove them', () => {
  const files = listFiles()
  const read = (path: string) => readFileSync(path, 'utf8')
  const removal = unmakeCalls({ names: readNames({ NAME: 'payment' }), read }, files)
  const handler = 'internal/handler/payments.ts'
  expect(removal?.deleted.includes(handler) ?? false).toBe(files.includes(handler))
})
