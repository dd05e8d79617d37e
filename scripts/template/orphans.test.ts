import { expect, test } from '@jest/globals'
import type { Tree } from './make-service.ts'
import { dropDependents, dropOrphans, findReached } from './orphans.ts'

const files = {
  'deploy/a/a.test.ts': `import { parse } from 'yaml'\nimport type { Pod } from '@kube/types/v1'\nimport '../../test/support/a.ts'`,
  'deploy/b/b.test.ts': `import { shared } from '../../test/support/shared.ts'\nimport { test } from 'jest'`,
  'test/support/a.ts': `const { deep } = await import('./deep.ts')`,
  'test/support/deep.ts': `import { shared } from './shared.ts'\nimport { table } from '../../pkg/table.ts'`,
  'test/support/shared.ts': '',
  'test/support/by-name.cjs': '',
  'pkg/table.ts': '',
}
const template: Tree = new Map(Object.entries(files))

test('test support and packages are removed when only removed files import them', () => {
  const without = new Map([...template].filter(([path]) => path !== 'deploy/a/a.test.ts'))
  const { kept, packages } = dropOrphans(template, without)
  expect([...kept.keys()]).toEqual([
    'deploy/b/b.test.ts',
    'test/support/shared.ts',
    'test/support/by-name.cjs',
    'pkg/table.ts',
  ])
  expect(packages).toEqual(expect.arrayContaining(['yaml', '@kube/types']))
  expect(packages).not.toContain('jest')
})

test('tests that import a removed file are removed, and so are the tests that import them', () => {
  const without = new Map([...template].filter(([path]) => path !== 'test/support/shared.ts'))
  const kept = dropDependents(template, without)
  expect([...kept.keys()]).toEqual(['test/support/by-name.cjs', 'pkg/table.ts'])
})

test('a file reaches what its imports import', () => {
  expect([...findReached(template, ['test/support/a.ts'])]).toEqual([
    ...['test/support/a.ts', 'test/support/deep.ts', 'test/support/shared.ts', 'pkg/table.ts'],
  ])
})

test('a scenario stays when only a removed file imports it, because another program finds it by a pattern', () => {
  const scenarios: Tree = new Map([
    ['test/a/scenarios/1.ts', ''],
    ['load/load.ts', "import '../test/a/scenarios/1.ts'"],
  ])
  const without = new Map([...scenarios].filter(([path]) => path.startsWith('test/')))
  expect([...dropOrphans(scenarios, without).kept.keys()]).toEqual(['test/a/scenarios/1.ts'])
})

test('the support of generated tests stays', () => {
  const support: Tree = new Map([
    ['test/support/described.ts', ''],
    ['test/notes.test.ts', "import './support/described.ts'"],
    ['scripts/resource/templates/end-to-end.txt', "import '../support/described.ts'"],
  ])
  const without = new Map([...support].filter(([path]) => path !== 'test/notes.test.ts'))
  expect(dropOrphans(support, without).kept.has('test/support/described.ts')).toBe(true)
})

test('a shell script that no test starts is removed', () => {
  const scripts: Tree = new Map([
    ['test/support/used.sh', ''],
    ['test/support/unused.sh', '# Usage: unused.sh NAME'],
    ['test/a/a.test.ts', `spawn('sh', ['used.sh'])`],
  ])
  expect([...dropOrphans(scripts, scripts).kept.keys()]).toEqual(['test/support/used.sh', 'test/a/a.test.ts'])
})

test('a program that no test starts is removed', () => {
  const programs: Tree = new Map([
    ['test/a/programs/used.ts', ''],
    ['test/a/programs/unused.ts', ''],
    ['test/a/a.test.ts', `start('programs/used.ts')`],
  ])
  expect([...dropOrphans(programs, programs).kept.keys()]).toEqual(['test/a/programs/used.ts', 'test/a/a.test.ts'])
})
