import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'

// This is a budget of the template. A service may exceed it.
test('the bundle has at most 2.96 MB of code and 666 kB of files for browsers', () => {
  const bundle = readFileSync('dist/server.cjs', 'utf8')
  const carried = [...bundle.matchAll(/"[A-Za-z0-9+/=]{10000,}"/g)].reduce((sum, [text]) => sum + text.length, 0)
  expect(carried).toBeGreaterThan(400_000)
  expect(carried).toBeLessThanOrEqual(666_000)
  expect(bundle.length - carried).toBeLessThanOrEqual(2_960_000)
})
