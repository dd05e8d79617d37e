import { spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { killApps, runApp, startApp } from './support/app.ts'
import { copyTree } from './support/temporary.ts'

/*
 * Builds copies of the tree with the changes that a service makes as it grows.
 */

jest.setTimeout(180_000)

afterEach(killApps)

/** Copies the files that the build reads. */
function copyBuild() {
  const directory = copyTree('build')
  mkdirSync(join(directory, 'dist'))
  const path = (file: string) => join(directory, file)
  return {
    path,
    edit(file: string, change: (text: string) => string) {
      const text = readFileSync(path(file), 'utf8')
      const changed = change(text)
      if (changed === text) throw new Error(`the change of ${file} changes nothing`)
      writeFileSync(path(file), changed)
    },
    build: (artifact: 'bundle' | 'executable') =>
      spawnSync(process.execPath, ['scripts/build.ts', artifact], { cwd: directory, encoding: 'utf8' }),
    outputs: () => readdirSync(path('dist')).sort(),
  }
}

const BUNDLE = ['THIRD_PARTY_LICENSES', 'server.cjs', 'server.cjs.map']

/** Makes the service require a variable when `condition` holds. */
const requireKey = (name: string, condition: string) => (text: string) =>
  `if (${condition} && !process.env['${name}']) {
    console.error('${name}: got nothing, expected a key')
    process.exit(78)
  }
  ${text}`

const GROWTH = `
  import * as allOfZod from 'zod'
  const large = ${JSON.stringify('x'.repeat(4_000_000))}
  console.info(JSON.stringify({ test: true, message: 'grown', size: large.length, ok: allOfZod.string().safeParse('').success }))
  void import('node:zlib').then(({ gunzipSync, gzipSync }) =>
    console.info(JSON.stringify({ test: true, message: 'loaded later', text: String(gunzipSync(gzipSync('text'))) })),
  )
  if (process.env['SECRET_OF_CI']) throw new Error('the environment of the build reaches the service')
`

describe('a service that has grown', () => {
  const { name: own } = JSON.parse(readFileSync('package.json', 'utf8'))
  const borrowed = own === 'express' ? 'zod' : 'express'
  const tree = copyBuild()
  const program = [tree.path('dist/app')]
  const env = { NODE_ENV: 'test', STORE_KEY: 'own' }

  beforeAll(() => {
    tree.edit('package.json', (text) => text.replace(/"name": "[^"]+"/, `"name": "${borrowed}"`))
    tree.edit('internal/routes.ts', (text) => text.replace("'/ping'", "'/pong'"))
    tree.edit('src/main.ts', (text) => GROWTH + text)
    tree.edit('src/main.ts', requireKey('PAYMENT_KEY', "process.env['NODE_ENV'] === 'production'"))
    tree.edit('src/main.ts', requireKey('STORE_KEY', 'true'))
    process.env['SECRET_OF_CI'] = 'secret'
    expect(tree.build('bundle')).toMatchObject({ status: 0, stderr: expect.stringContaining('dist/') })
  })
  afterAll(() => {
    delete process.env['SECRET_OF_CI']
  })

  test('is not built without a required variable in stub.env: the build names stub.env and leaves no executable', () => {
    writeFileSync(tree.path('dist/app'), 'of an earlier build')
    const { status, stderr } = tree.build('executable')
    expect(status).toBe(1)
    expect(stderr).toContain('STORE_KEY: got nothing, expected a key')
    expect(stderr).toContain('scripts/executable/stub.env')
    expect(tree.outputs()).toEqual(BUNDLE)
  })

  test('is built with the required variable in stub.env', () => {
    tree.edit('scripts/executable/stub.env', (text) => `${text}STORE_KEY=stub\n`)
    expect(tree.build('executable')).toMatchObject({ status: 0, stderr: expect.stringContaining('dist/') })
    expect(tree.outputs()).toEqual(['THIRD_PARTY_LICENSES', 'app', 'server.cjs', 'server.cjs.map'])
  })

  test('starts with 4 MB more code, without /ping, and loads modules of Node later', async () => {
    const app = await startApp({ program, env })
    await app.line({ message: 'grown', size: 4_000_000, ok: true })
    await app.line({ message: 'loaded later', text: 'text' })
    expect((await fetch(`${app.url}/pong`)).status).toBe(200)
    expect((await fetch(`${app.url}/ping`)).status).toBe(404)
    app.signal('SIGINT')
    await app.ended
  })

  test('may have the name of a package that it uses', async () => {
    const { stdout } = await runApp(['version'], { program, env })
    expect(stdout).toMatch(new RegExp(`^${borrowed} \\d`, 'm'))
    const licenses = readFileSync(tree.path('dist/THIRD_PARTY_LICENSES'), 'utf8')
    expect(licenses).toMatch(new RegExp(`^${borrowed} \\d+\\.\\d+\\.\\d+ \\(MIT\\)$`, 'm'))
  })

  test('may require a variable in production', async () => {
    const { code, stderr } = await runApp([], { program, env: { ...env, NODE_ENV: 'production' } })
    expect([code, stderr]).toEqual([78, expect.stringContaining('PAYMENT_KEY')])
  })
})

test('a syntax error leaves no file of this build or of an earlier build', () => {
  const tree = copyBuild()
  for (const output of BUNDLE) writeFileSync(tree.path(`dist/${output}`), 'of an earlier build')
  tree.edit('src/main.ts', (text) => `${text}\nconst = 1\n`)
  const { status, stderr } = tree.build('bundle')
  expect(status).toBe(1)
  expect(stderr).toContain('src/main.ts')
  expect(tree.outputs()).toEqual([])
})

test('the build warns about a module to load later that no package requires', () => {
  const tree = copyBuild()
  tree.edit('scripts/bundle.ts', (text) => text.replace("'http-errors'", "'http-errors', 'gone'"))
  const { status, stderr } = tree.build('bundle')
  expect(status).toBe(0)
  expect(stderr).toContain('no package requires "gone", so it cannot be loaded later')
  expect(tree.outputs()).toEqual(BUNDLE)
})
