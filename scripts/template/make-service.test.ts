import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { listFiles } from '../git.ts'
import { createExists } from '../markdown.ts'
import { CAPABILITIES, listCapabilities } from './capabilities.ts'
import type { Choices } from './choices.ts'
import { listSuites, listWays, makeService, type Tree } from './make-service.ts'

// Includes the files that `make resource` wrote and that are not committed yet.
const paths = listFiles()
const template: Tree = new Map(paths.map((path) => [path, readFileSync(path, 'utf8')]))
const ways = listWays(paths)
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))

const origin = { commit: 'c0ffee', template: 'https://example.com/template.git', year: 2031 }
const choices = { name: 'orders-2', example: 'yes', deploy: 'all', with: 'all', license: 'none', owner: '' }
const made = new Map<string, Tree>()
function make(changes: Partial<Choices> = {}): Tree {
  const key = JSON.stringify({ ...choices, ...changes })
  const service = made.get(key) ?? makeService(template, { ...choices, ...changes }, origin)
  made.set(key, service)
  return service
}

/** Lists references to missing files: imports of TypeScript, links of Markdown, paths of this tree in any text. */
function missing(service: Tree): string[] {
  const exists = createExists(service.keys())
  const isThere = (path: string) => ['', '.ts', '.test.ts'].some((ending) => exists(path + ending))
  return [...service].flatMap(([path, text]) => {
    // The templates of a resource refer to files of the resource, and patterns of knip may match no file.
    if (/^scripts\/|package-lock\.json$|\.svg$|^knip\.ts$/.test(path)) return []
    const pattern = path.endsWith('.md') ? /\]\(([\w./-]+)\)/g : /from '(\.[^']+)'/g
    const relative = [...text.matchAll(pattern)].map(([, to = '']) => posix.join(posix.dirname(path), to))
    const named = [...text.matchAll(/(?<![\w/.-])(?:deploy|docs|test)\/[\w@./-]*\w/g)].map(([to]) => to)
    // A path that the template lacks is an example, or a path of another repository.
    const ofTemplate = named.filter((to) => paths.some((file) => file.startsWith(to)))
    return [...relative, ...ofTemplate].filter((to) => !isThere(to)).map((to) => `${path}: ${to}`)
  })
}

describe.each([...ways, 'all'])('with deploy/%s alone', (deploy) => {
  const service = make({ deploy })

  test('no file refers to a missing file', () => {
    expect(missing(service)).toEqual([])
  })

  test('the chosen ways of deployment are complete, and the other ways are removed', () => {
    const kept = deploy === 'all' ? ways : [deploy]
    expect(listWays(service.keys())).toEqual(kept)
    const before = paths.filter((path) => kept.some((way) => path.startsWith(`deploy/${way}/`)))
    const suites = listSuites(paths).filter((suite) => !listSuites(service.keys()).includes(suite))
    const expected = before.filter((path) => !suites.some((suite) => path.includes(`/${suite}/`)))
    expect([...service.keys()].filter((path) => path.startsWith('deploy/'))).toHaveLength(expected.length)
  })

  test('no file has the name of the template, and the files of the template are removed', () => {
    const spelling = new RegExp(name.replaceAll('-', '[-_ .]?'), 'i')
    for (const [path, text] of service) {
      expect({ path, line: text.split('\n').find((line) => spelling.test(line)) }).toEqual({ path })
      if (!path.startsWith('scripts/')) expect({ path, init: /\bmake init\b/.exec(text)?.[0] }).toEqual({ path })
    }
    const own =
      /my-service|scripts\/(init|template)|^test\/release|docs\/(template|images|decisions|performance)|^bench/
    expect([...service.keys()].filter((path) => own.test(path))).toEqual([])
  })

  test('every page has text under each heading', () => {
    for (const [path, text] of service) {
      if (path.endsWith('.md')) expect({ path, empty: /^##+ .*\n+(?=#{1,2} )/m.exec(text)?.[0] }).toEqual({ path })
    }
  })
})

// A line whose wrapping depends on the length of the name fails make lint in some services.
test('a service without the example keeps the files that the tests of a generated resource import', () => {
  const service = make({ example: 'no', deploy: 'kubernetes', with: 'none' })
  const templates = paths.filter((path) => /^scripts\/resource\/templates\/.*\.txt$/.test(path))
  const named = templates.flatMap((path) => [...(service.get(path) ?? '').matchAll(/from '\.\.?\/(support\/.+)'/g)])
  expect(named.length).toBeGreaterThan(1)
  for (const [, to] of named) expect([...service.keys()]).toContain(`test/${to}`)
})

test.each(['a', 'orders', 'a'.repeat(55)])('the code of a service named %s is formatted', (own) => {
  const directory = temporaryDirectory('formatted')
  const service = make({ name: own })
  const unchanged = new Set(template.values())
  for (const [path, text] of service) {
    if (path !== 'biome.json' && (unchanged.has(text) || !/\.(ts|cjs|mjs|json)$/.test(path))) continue
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const biome = resolve('node_modules/@biomejs/biome/bin/biome')
  const args = [biome, 'check', '--vcs-enabled=false', '--linter-enabled=false']
  const { status, stderr } = spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8' })
  expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' })
})

test('no file has a marker', () => {
  const marker = / \[(?:only [a-z ]+|end)\](?: -->)?$/m
  expect([...template].filter(([, text]) => marker.test(text)).map(([path]) => path)).toEqual([])
})

test('a service without the example does not mention it', () => {
  const service = make({ example: 'no', with: 'none' })
  expect(missing(service)).toEqual([])
  const notes = /\bv1\/notes|204602-notes|createNotes|\bv1\/payments|createPayments/
  expect([...service].filter(([path, text]) => notes.test(path + text)).map(([path]) => path)).toEqual([])
})

test('the README of a service has the sections of the template about its use', () => {
  const titles = [...(make().get('README.md') ?? '').matchAll(/^## (.*)$/gm)].map(([, title]) => title)
  expect(titles).toEqual(['Run it', 'Add a resource', 'Every day', 'Configure it', 'Deploy it'])
})

test('a service starts its own changelog', () => {
  expect(make().get('CHANGELOG.md')).toMatch(/^# Changelog\n\n.*\n\n## Unreleased\n$/)
})

test('package.json and package-lock.json lose the packages that only a removed way imports', () => {
  const read = (service: Tree, path: string) => JSON.parse(service.get(path) ?? '')
  const service = make({ deploy: 'nginx' })
  expect(read(service, 'package.json').devDependencies).not.toHaveProperty('kubernetes-types')
  expect(read(make({ deploy: 'kubernetes' }), 'package.json').devDependencies).toHaveProperty('kubernetes-types')
  const { packages } = read(service, 'package-lock.json')
  expect(packages['']).toMatchObject({ name: 'orders-2', version: '0.1.0' })
  expect(packages[''].devDependencies).not.toHaveProperty('kubernetes-types')
  expect(Object.keys(packages)).not.toContain('node_modules/kubernetes-types')
  // knip depends on yaml.
  expect(Object.keys(packages)).toContain('node_modules/yaml')
})

test('.template.json records the origin and the choices', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const { commit, template: url } = origin
  expect(JSON.parse(make({ deploy: 'dns' }).get('.template.json') ?? '')).toEqual({
    ...{ version, commit, template: url, ...choices, deploy: 'dns' },
  })
})

describe('the suites', () => {
  test('are folders with their own targets of make', () => {
    expect(listSuites(paths)).toEqual(
      expect.arrayContaining(['chaos', 'test/browser', 'test/restart', 'test/resilience']),
    )
  })

  test.each(['none', 'test/restart'])(
    'WITH=%s leaves the other suites out, and the tests that import them',
    (chosen) => {
      const service = make({ with: chosen })
      expect(missing(service)).toEqual([])
      expect(listSuites(service.keys())).toEqual(chosen === 'none' ? [] : [chosen])
      expect([...service.keys()].filter((path) => /^test\/.*\/(scenarios|programs)\//.test(path))).not.toContain(
        'test/overload/scenarios/6-full-pool.ts',
      )
      for (const path of ['.ci/run', '.github/workflows/nightly.yml'])
        expect(service.get(path)).toContain(chosen === 'none' ? 'e2e-deploy' : 'e2e-restart')
      expect(service.get('.ci/run')).not.toMatch(/bench|resilience|test-release/)
    },
  )
})

describe('capabilities', () => {
  const all = listCapabilities(paths)
  const leave = (name: string) =>
    all.filter((other) => other !== name && !CAPABILITIES[other]?.needs?.includes(name)).join(',')

  test.each(all)('a service without %s has no file of it, and no file refers to one', (name) => {
    const service = make({ with: leave(name) })
    expect(missing(service)).toEqual([])
    expect([...service.keys()].filter((path) => CAPABILITIES[name]?.files.test(path))).toEqual([])
    const own = paths.filter((path) => path.startsWith(`pkg/${name}/`))
    expect(own.length).toBeGreaterThan(2)
  })

  test('a service without upstream has no tests of its alerts, whose faults call an upstream', () => {
    const isFaultTest = (path: string) => /^deploy\/prometheus\/(harness\/|(alerts|rules)\.test\.ts$)/.test(path)
    expect([...make({ with: leave('upstream') }).keys()].filter(isFaultTest)).toEqual([])
    expect([...make({ with: leave('jobs') }).keys()].filter(isFaultTest)).toEqual(paths.filter(isFaultTest))
  })

  test.each(all)('the dashboards of a service without %s show only metrics of docs/metrics.md', (name) => {
    const list = (tree: Tree) =>
      [...tree.get('docs/metrics.md')!.matchAll(/^\| `(\w+)` \|/gm)].map(([, metric = '']) => metric)
    const service = make({ with: leave(name) })
    const left = list(service)
    const gone = list(template).filter((metric) => !left.includes(metric))
    const dashboards = [...service].filter(([path]) => path.startsWith('deploy/grafana/dashboards/'))
    expect(dashboards.length).toBeGreaterThan(3)
    expect(dashboards.flatMap(([, text]) => gone.filter((metric) => text.includes(metric)))).toEqual([])
  })

  test('WITH=all keeps every file, and the lines that name them', () => {
    const service = make()
    const kept = ['config/env.ts', 'internal/app.ts', 'src/main.ts', 'internal/routes.ts', '.env.example']
    for (const path of kept) expect(service.get(path)?.split('\n')).toHaveLength(template.get(path)!.split('\n').length)
    for (const name of all) expect(service.has(`pkg/${name}/index.ts`)).toBe(true)
  })

  test('commands, variables, log messages, fields and metrics of a capability leave the pages', () => {
    const service = make({ with: leave('discovery') })
    const pages = [...service].filter(([path]) => /\.md$|^\.env\.example$/.test(path)).map(([, text]) => text)
    for (const gone of [
      /`app bridge`/,
      /\bBRIDGE_SINK\b/,
      /\bREGISTRY\b/,
      /`registry lost`/,
      /`discovery_registered`/,
      /bridge_last_success_timestamp_seconds/,
    ]) {
      expect(
        template.get('docs/discovery.md')! + template.get('docs/logs.md') + template.get('docs/metrics.md'),
      ).toMatch(gone)
      expect(pages.filter((text) => gone.test(text))).toEqual([])
    }
    // Another cell of this row names the check of the registry.
    for (const row of ['| `check failed`', '| `service.target.name`'])
      expect(service.get('docs/logs.md')).toContain(row)
  })
})

test('a suite that needs a left-out way of deployment is left out, with its folders in other ways', () => {
  const needing = new Map([
    ...template,
    ['soak/soak.mk', ''],
    ['soak/stage.ts', "import { start } from '../deploy/nginx/start.ts'"],
    ['deploy/kubernetes/soak/manifest.yaml', ''],
    ['deploy/kubernetes/soak.test.ts', "import '../../soak/stage.ts'"],
  ])
  const find = (deploy: string) =>
    [...makeService(needing, { ...choices, deploy }, origin).keys()].filter((path) => path.includes('soak'))
  expect(find('kubernetes')).toEqual([])
  expect(find('nginx')).toEqual(['soak/soak.mk', 'soak/stage.ts'])
  expect(find('kubernetes,nginx')).toHaveLength(4)
})

test('the smallest service has few files', () => {
  const files = [...make({ example: 'no', with: 'none', deploy: 'kubernetes' }).keys()]
  const fromTemplate = /^(pkg|scripts|test)\//
  expect(files.filter((path) => !fromTemplate.test(path)).length).toBeLessThan(150)
  expect(files.length).toBeLessThan(480)
})

describe('the license', () => {
  const named = (service: Tree) => [
    JSON.parse(service.get('package.json') ?? '').license,
    JSON.parse(service.get('package-lock.json') ?? '').packages[''].license,
  ]

  test('none keeps all rights', () => {
    expect(named(make())).toEqual(['UNLICENSED', 'UNLICENSED'])
    expect(make().has('LICENSE')).toBe(false)
  })

  test.each([
    ['MIT', /^MIT License\n\nCopyright \(c\) 2031 Example \$& Ltd\n\nPermission .*DEALINGS IN THE SOFTWARE\.\n$/is],
    ['Apache-2.0', /^\s+Apache License\n.* Copyright 2031 Example \$& Ltd\n.*under the License\.\n$/s],
  ])('%s has its text, and names the owner', (license, text) => {
    const service = make({ license, owner: 'Example $& Ltd' })
    expect(named(service)).toEqual([license, license])
    expect(service.get('LICENSE')).toMatch(text)
  })
})
