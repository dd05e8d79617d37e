import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { listWays, makeService, type Tree } from './make-service.ts'

// Includes the files that `make resource` wrote and that are not committed yet.
const paths = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(path))
const template: Tree = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]))
const ways = listWays(paths)
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))

const make = (deploy: string, example = 'yes') => makeService(template, { name: 'orders-2', example, deploy }, 'c0ffee')

/** Lists references to missing files: imports of TypeScript, links of Markdown, paths of this tree in any text. */
function missing(service: Tree): string[] {
  const files = [...service.keys()]
  const exists = (path: string) => files.some((file) => file === path || file.startsWith(`${path}/`))
  const isThere = (path: string) => ['', '.ts', '.test.ts'].some((ending) => exists(path + ending))
  return [...service].flatMap(([path, text]) => {
    // The templates of a resource refer to files of the resource, and patterns of knip may match no file.
    if (/^scripts\/|package-lock\.json$|\.svg$|^knip\.ts$/.test(path)) return []
    const pattern = path.endsWith('.md') ? /\]\(([\w./-]+)\)/g : /from '(\.[^']+)'/g
    const relative = [...text.matchAll(pattern)].map(([, to = '']) => posix.join(posix.dirname(path), to))
    const named = [...text.matchAll(/(?<![\w/.-])(?:deploy|docs|test)\/[\w@./-]*\w/g)].map(([to]) => to)
    return [...relative, ...named].filter((to) => !isThere(to)).map((to) => `${path}: ${to}`)
  })
}

describe.each([...ways, 'all'])('with deploy/%s alone', (deploy) => {
  const service = make(deploy)

  test('no file refers to a missing file', () => {
    expect(missing(service)).toEqual([])
  })

  test('the chosen ways of deployment are complete, and the other ways are removed', () => {
    const kept = deploy === 'all' ? ways : [deploy]
    expect(listWays(service.keys())).toEqual(kept)
    const before = paths.filter((path) => kept.some((way) => path.startsWith(`deploy/${way}/`)))
    expect([...service.keys()].filter((path) => path.startsWith('deploy/'))).toHaveLength(before.length)
  })

  test('no file has the name of the template, and the files of the template are removed', () => {
    const spelling = new RegExp(name.replaceAll('-', '[-_ .]?'), 'i')
    for (const [path, text] of service) {
      expect({ path, line: text.split('\n').find((line) => spelling.test(line)) }).toEqual({ path })
      if (!path.startsWith('scripts/')) expect({ path, init: /\bmake init\b/.exec(text)?.[0] }).toEqual({ path })
    }
    const own = /my-service|scripts\/(init|template)|test\/release\/template|docs\/template/
    expect([...service.keys()].filter((path) => own.test(path))).toEqual([])
  })

  test('every page has text under each heading', () => {
    for (const [path, text] of service) {
      if (path.endsWith('.md')) expect({ path, empty: /^##+ .*\n+(?=#{1,2} )/m.exec(text)?.[0] }).toEqual({ path })
    }
  })
})

// A line whose wrapping depends on the length of the name fails make lint in some services.
test.each(['a', 'orders', 'a'.repeat(55)])('the code of a service named %s is formatted', (own) => {
  const directory = mkdtempSync(join(tmpdir(), 'formatted-'))
  const service = makeService(template, { name: own, example: 'yes', deploy: 'all' }, 'c0ffee')
  const unchanged = new Set(template.values())
  for (const [path, text] of service) {
    if (path !== 'biome.json' && (unchanged.has(text) || !/\.(ts|cjs|mjs|json)$/.test(path))) continue
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const biome = resolve('node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'check', '--vcs-enabled=false', '--linter-enabled=false']
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' })
  rmSync(directory, { recursive: true })
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
})

test('no file has a marker', () => {
  const marker = / \[(?:only [a-z ]+|end)\](?: -->)?$/m
  expect([...template].filter(([, text]) => marker.test(text)).map(([path]) => path)).toEqual([])
})

test('a service without the example does not mention it', () => {
  const service = make('all', 'no')
  expect(missing(service)).toEqual([])
  const notes = /\bv1\/notes|204602-notes|createNotes|\bv1\/payments|createPayments/
  expect([...service].filter(([path, text]) => notes.test(path + text)).map(([path]) => path)).toEqual([])
})

test('a service starts its own changelog', () => {
  expect(make('all').get('CHANGELOG.md')).toMatch(/^# Changelog\n\n.*\n\n## Unreleased\n$/)
})

test('package.json and package-lock.json lose the packages that only a removed way imports', () => {
  const read = (service: Tree, path: string) => JSON.parse(service.get(path) ?? '')
  const service = make('nginx')
  expect(read(service, 'package.json').devDependencies).not.toHaveProperty('kubernetes-types')
  expect(read(make('kubernetes'), 'package.json').devDependencies).toHaveProperty('kubernetes-types')
  const { packages } = read(service, 'package-lock.json')
  expect(packages['']).toMatchObject({ name: 'orders-2', version: '0.1.0' })
  expect(packages[''].devDependencies).not.toHaveProperty('kubernetes-types')
  expect(Object.keys(packages)).not.toContain('node_modules/kubernetes-types')
  // knip depends on yaml.
  expect(Object.keys(packages)).toContain('node_modules/yaml')
})

test('.template.json records the origin and the choices', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  expect(JSON.parse(make('dns', 'no').get('.template.json') ?? '')).toEqual({
    ...{ version, commit: 'c0ffee' },
    ...{ name: 'orders-2', example: 'no', deploy: 'dns' },
  })
})
