import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { run, succeed } from './support/run.ts'
import { until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

/*
 * The everyday commands of a developer.
 */

jest.setTimeout(180_000)

/** The PATH of a terminal: without the pinned Node and the commands of the packages. */
const PATH = process.env['PATH']!.split(delimiter)
  .filter((directory) => !directory.includes('.toolchain') && !directory.includes('node_modules'))
  .join(delimiter)

const SUITE = 'pkg/http/html.test.ts'
const text = (file: string) => readFileSync(file, 'utf8')

test('each script of npm calls the target of make with its name', async () => {
  const { scripts } = JSON.parse(text('package.json'))
  expect(scripts).toEqual({
    start: 'make run',
    dev: 'make dev',
    test: 'make test',
    lint: 'make lint',
    build: 'make build',
  })
  // The targets are up to date, so the command ends at once.
  await succeed('npm', ['run', 'build'], { env: { PATH } })
})

test('make help lists each target once, in groups', () => {
  const list = execFileSync('make', ['help'], { encoding: 'utf8' })
  const groups = list.split('\n\n')
  expect(groups.length).toBeGreaterThan(2)
  expect(groups.find((group) => group.startsWith('Every day\n'))).toContain('\n  make hooks ')
  for (const group of groups) expect(group).toMatch(/^[A-Z][^\n]+(\n {2}make [a-z0-9-]+ +\S.*)+\n?$/)
  const targets = [...list.matchAll(/^ {2}make (\S+)/gm)].map(([, target]) => target)
  expect(new Set(targets).size).toBe(targets.length)
  expect(targets).toEqual(expect.arrayContaining(['help', 'dev', 'resource', 'image', 'audit', 'shell']))
})

test('jest runs with the Node of the terminal and without flags', async () => {
  const { code, stderr } = await run('sh', ['-c', `node node_modules/jest/bin/jest.js ${SUITE}`], {
    env: { PATH, NODE_OPTIONS: '' },
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Test Suites: 1 passed, 1 total') })
})

test('jest finds the unit tests in a folder whose name has special characters of patterns', async () => {
  const cwd = join(temporaryDirectory('jest'), 'c++ (copy) [2]')
  for (const file of ['pkg/http/a.test.ts', 'load/test/slow.test.ts']) {
    mkdirSync(dirname(join(cwd, file)), { recursive: true })
    writeFileSync(join(cwd, file), '')
  }
  for (const file of ['package.json', 'jest.config.js']) copyFileSync(file, join(cwd, file))
  mkdirSync(join(cwd, 'test/support'), { recursive: true })
  copyFileSync('test/support/strip-types.mjs', join(cwd, 'test/support/strip-types.mjs'))
  symlinkSync(resolve('node_modules'), join(cwd, 'node_modules'))
  const args = ['--experimental-vm-modules', 'node_modules/jest/bin/jest.js', '--listTests', '--selectProjects', 'unit']
  const { code, stdout } = await run(process.execPath, args, { cwd })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/\/pkg\/http\/a\.test\.ts\n$/) })
  expect(stdout).not.toContain('slow.test.ts')
})

test('jest without a Node that strips types says what to do', async () => {
  const directory = temporaryDirectory('jest-config')
  const config = join(directory, 'jest.config.mjs')
  writeFileSync(config, `process.argv[1] = 'jest'\nawait import(${JSON.stringify(join(directory, 'config.mjs'))})`)
  writeFileSync(
    config.replace('jest.config', 'config'),
    text('jest.config.js')
      .replace('process.features.typescript', 'false')
      .replace('process.features.typescript', 'false'),
  )
  const { code, stderr } = await run(process.execPath, [config])
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringMatching(/jest needs Node 24 or later.*`make unit`/),
  })
})

test('make unit T=path runs only the tests of the path', async () => {
  const { code, stderr } = await run('make', ['unit', `T=${SUITE}`])
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('Test Suites: 1 passed, 1 total') })
  expect(execFileSync('make', ['--dry-run', 'e2e', 'T=test/cli'], { encoding: 'utf8' })).toMatch(
    /jest\.js test\/cli --selectProjects e2e/,
  )
})

test('make watch runs the tests and waits for the next save', async () => {
  const child = spawn('make', ['watch', `T=${SUITE}`], { detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
  const closed = once(child, 'close')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
  await until(() => /No tests found related to files changed|Ran all test suites/.test(output), 60_000)
  expect(child.exitCode).toBeNull()
  process.kill(-child.pid!, 'SIGKILL')
  await closed
})

test('make coverage reports the executed lines of the TypeScript files, in a folder that git ignores', async () => {
  const directory = temporaryDirectory('coverage')
  await succeed('make', ['coverage', `T=${SUITE} --coverageDirectory=${directory}`])
  expect(existsSync(join(directory, 'index.html'))).toBe(true)
  const files = text(join(directory, 'lcov.info')).split('end_of_record')
  const lines = (file: string) => /LF:(\d+)\nLH:(\d+)/.exec(files.find((each) => each.includes(`SF:${file}\n`))!)
  const [, found, hit] = lines('pkg/http/html.ts')!
  expect(Number(found)).toBe(text('pkg/http/html.ts').trimEnd().split('\n').length)
  expect(Number(hit)).toBeGreaterThan(0)
  // A file that no test loads counts too.
  expect(lines('internal/app.ts')!.slice(2)).toEqual(['0'])
  if (existsSync('.git')) await succeed('git', ['check-ignore', '--quiet', 'coverage/index.html'])
  expect(text('Makefile')).toMatch(/rm -rf .*\bcoverage\b/)
})

test('make shell has the pinned Node and the commands of the packages on the PATH', async () => {
  const shell = join(temporaryDirectory('shell'), 'shell')
  writeFileSync(shell, '#!/bin/sh\nnode --version\nbiome --version\n', { mode: 0o755 })
  const output = await succeed('make', ['shell'], { env: { PATH, SHELL: shell } })
  expect(output).toMatch(/^v\d+\.\d+\.\d+\nVersion: \d/)
  expect(output.split('\n')[0]).toBe(`v${text('.nvmrc').trim()}`)
})

test('npm installs a package with a Node that the service does not support', async () => {
  const directory = temporaryDirectory('npm')
  const engines = { node: '>=999' }
  const write = (file: string, content: object) => writeFileSync(join(directory, file), JSON.stringify(content))
  write('package.json', { name: 'service', version: '1.0.0', engines })
  execFileSync('mkdir', [join(directory, 'added')])
  write('added/package.json', { name: 'added', version: '1.0.0', engines })
  writeFileSync(join(directory, '.npmrc'), text('.npmrc'))
  const { code, stderr } = await run('npm', ['install', '--offline', './added'], { cwd: directory, env: { PATH } })
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('EBADENGINE') })
})
