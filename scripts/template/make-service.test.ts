import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { makeService } from './make-service.ts'
import { type Tree, waysOf } from './select.ts'

const paths = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0').filter(Boolean)
const template: Tree = new Map(
  paths.map((path) => [path, { mode: '100644', text: path === 'bench/.npmrc' ? '' : readFileSync(path, 'utf8') }]),
)
const ways = waysOf(paths)
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))

const withParts = (deploy: string, example = 'yes') =>
  makeService(template, { name: 'orders-2', example, deploy }, 'c0ffee')

/** What a file names that is not there: imports of TypeScript, links of Markdown, paths of this tree in any text. */
function missing(service: Tree): string[] {
  const files = [...service.keys()]
  const exists = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`))
  const isThere = (path: string) => ['', '.ts', '.test.ts'].some((ending) => exists(path + ending))
  return [...service].flatMap(([path, { text }]) => {
    // What templates of a resource name is there when they are filled.
    if (path.endsWith('package-lock.json') || path.startsWith('scripts/resource/')) return []
    const pattern = path.endsWith('.md') ? /\]\(([\w./-]+)\)/g : /from '(\.[^']+)'/g
    const relative = [...text.matchAll(pattern)].map(([, to = '']) => posix.join(posix.dirname(path), to))
    const named = [...text.matchAll(/(?<![\w/.])(?:deploy|docs|test)\/[\w@./-]*\w/g)].map(([to]) => to)
    return [...relative, ...named].filter((to) => !isThere(to)).map((to) => `${path}: ${to}`)
  })
}

describe.each([...ways, 'all'])('with deploy/%s alone', (deploy) => {
  const service = withParts(deploy)

  test('nothing is named that is not there', () => {
    expect(missing(service)).toEqual([])
  })

  test('every way that was kept is complete, and the others are gone', () => {
    const kept = deploy === 'all' ? ways : [deploy]
    expect(waysOf(service.keys())).toEqual(kept)
    const before = paths.filter((path) => kept.some((way) => path.startsWith(`deploy/${way}/`)))
    expect([...service.keys()].filter((path) => path.startsWith('deploy/'))).toHaveLength(before.length)
  })

  test('nothing is left of the template, its name and its marks', () => {
    const spelling = new RegExp(name.replaceAll('-', '[-_ .]?'), 'i')
    for (const [path, { text }] of service) {
      expect({ path, line: text.split('\n').find((line) => spelling.test(line)) }).toEqual({ path })
      expect({ path, mark: / \[(only [a-z ]+|end)\]( -->)?$/m.exec(text)?.[0] }).toEqual({ path })
    }
    expect([...service.keys()].filter((path) => spelling.test(path) || path.startsWith('scripts/init'))).toEqual([])
  })
})

test('without the example nothing of it is named', () => {
  const service = withParts('all', 'no')
  expect(missing(service)).toEqual([])
  const notes = /\bv1\/notes|0002-notes|createNotes/
  expect([...service].filter(([path, { text }]) => notes.test(path + text)).map(([path]) => path)).toEqual([])
})

test('packages that only a part needs go with it, from both files, and those that others need stay locked', () => {
  const read = (service: Tree, path: string) => JSON.parse(service.get(path)?.text ?? '')
  const service = withParts('nginx')
  expect(read(service, 'package.json').devDependencies).not.toHaveProperty('kubernetes-types')
  const { packages } = read(service, 'package-lock.json')
  expect(packages['']).toMatchObject({ name: 'orders-2', version: '0.1.0' })
  expect(packages[''].devDependencies).not.toHaveProperty('yaml')
  expect(Object.keys(packages)).not.toContain('node_modules/kubernetes-types')
  // Of knip's.
  expect(Object.keys(packages)).toContain('node_modules/yaml')
})

test('the record says what it was made from', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(JSON.parse(withParts('dns', 'no').get('.template.json')?.text ?? '')).toEqual({
    ...{ version, commit: 'c0ffee' },
    ...{ name: 'orders-2', example: 'no', deploy: 'dns' },
  })
})

test('an unknown part and a part without files are mistakes', () => {
  const marked = new Map([...template, ['x.md', { mode: '100644', text: 'text <!-- [only swarm] -->' }]])
  expect(() => makeService(marked, { name: 'orders', example: 'yes', deploy: 'all' }, '')).toThrow(
    'x.md: no part of the template: swarm',
  )
  const lacking = new Map([...template].filter(([path]) => path !== 'test/notes.test.ts'))
  expect(() => makeService(lacking, { name: 'orders', example: 'yes', deploy: 'all' }, '')).toThrow(
    /names it: test.notes\.test\.ts/,
  )
})
