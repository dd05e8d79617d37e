import { spawnSync } from 'node:child_process'
import { copyFileSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { beforeAll, expect, test } from '@jest/globals'
import { temporaryDirectory } from './support/temporary.ts'

let project: string
beforeAll(() => {
  project = temporaryDirectory('lint')
  for (const file of ['biome.json', 'package.json']) copyFileSync(file, join(project, file))
})

/** Lists the rules that a file of this name and text violates. */
function findings(path: string, text: string): string[] {
  const file = join(project, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
  const args = [
    resolve('node_modules/@biomejs/biome/bin/biome'),
    'lint',
    '--vcs-enabled=false',
    '--reporter=json',
    path,
  ]
  const { stdout } = spawnSync(process.execPath, args, { cwd: project, encoding: 'utf8' })
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string }[] }
  return diagnostics.map(({ category }) => category.split('/').at(-1) ?? '')
}

test('make lint names the command that formats the code', () => {
  writeFileSync(join(project, 'x.ts'), 'export const x = "text"\n')
  writeFileSync(join(project, '.gitignore'), 'node_modules\n')
  const args = ['-f', resolve('Makefile'), '-o', 'node_modules/.package-lock.json', 'lint']
  const env = { ...process.env, PATH: `${resolve('node_modules/.bin')}${delimiter}${process.env['PATH']}` }
  const { status, stderr } = spawnSync('make', args, { cwd: project, encoding: 'utf8', env })
  expect([status, stderr]).toEqual([2, expect.stringContaining('make fmt formats the code')])
})

const importing = (from: string) => `import { x } from '${from}'\n\nexport const y = x\n`

test.each([
  ['pkg/health/x.ts', '#config/env.ts'],
  ['pkg/health/x.ts', '#internal/app.ts'],
  ['pkg/health/x.ts', '#pkg/lifecycle/index.ts'],
  ['pkg/health/x.ts', '../../internal/app.ts'],
  ['pkg/health/x.ts', '../lifecycle/index.ts'],
  ['pkg/health/checks/x.ts', '../../lifecycle/index.ts'],
  ['config/x.ts', '#internal/app.ts'],
  ['config/x.ts', '#pkg/health/index.ts'],
  ['internal/handler/x.ts', '#config/env.ts'],
  ['internal/server.ts', '../config/load.ts'],
  ['internal/store/x.ts', '../../src/main.ts'],
])('%s may not import %s', (path, from) => {
  expect(findings(path, importing(from))).toContain('noRestrictedImports')
})

test.each([
  ['internal/app.ts', '#config/env.ts'],
  ['src/x.ts', '#config/load.ts'],
  ['src/x.ts', '#internal/app.ts'],
  ['internal/handler/x.ts', '#pkg/health/index.ts'],
  ['pkg/health/x.ts', '../read-text.ts'],
  ['pkg/health/checks/x.ts', '../policy.ts'],
  ['pkg/health/checks/x.ts', '../../run-program.ts'],
])('%s may import %s', (path, from) => {
  expect(findings(path, importing(from))).not.toContain('noRestrictedImports')
})

test('only src/ and the tools read process.env', () => {
  const text = 'export const port = process.env.PORT\n'
  expect(findings('internal/server.ts', text)).toContain('noProcessEnv')
  expect(findings('pkg/web/x.ts', text)).toContain('noProcessEnv')
})

test('every platform has the Node version of .nvmrc', () => {
  const pinned = readFileSync('.nvmrc', 'utf8').trim()
  const { optionalDependencies } = JSON.parse(readFileSync('scripts/toolchain/package.json', 'utf8'))
  expect(Object.values(optionalDependencies)).toEqual(Object.values(optionalDependencies).map(() => pinned))
})

test('the lock file has every package of every platform, with its hash', () => {
  type Packages = Record<string, { integrity?: string; optionalDependencies?: Record<string, string> }>
  const packages: Packages = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages
  for (const [path, { integrity, optionalDependencies = {} }] of Object.entries(packages)) {
    if (path !== '') expect({ path, integrity }).toEqual({ path, integrity: expect.stringMatching(/^sha512-/) })
    for (const name of Object.keys(optionalDependencies))
      expect(Object.keys(packages)).toContain(`node_modules/${name}`)
  }
})

test('versions are exact, and the lock files contain no download addresses', () => {
  for (const manifest of ['package.json', ...globSync(['bench/package.json', 'test/*/package.json'])]) {
    const { dependencies, devDependencies } = JSON.parse(readFileSync(manifest, 'utf8'))
    for (const version of Object.values({ ...dependencies, ...devDependencies }))
      expect(version).toMatch(/^\d+\.\d+\.\d+/)
  }
  for (const lock of ['package-lock.json', ...globSync('{bench,scripts/*,test/*}/package-lock.json')]) {
    expect(readFileSync(lock, 'utf8')).not.toMatch(/"resolved"/)
  }
})

test('pkg/board has at most 600 lines', () => {
  const files = globSync('pkg/board/*.ts', { exclude: ['**/*.test.ts'] })
  const lines = files.map((file) => readFileSync(file, 'utf8').split('\n').length - 1)
  expect(lines.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(600)
})
