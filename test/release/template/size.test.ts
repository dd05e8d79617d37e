import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'

// A budget of the template: packages as they are published, zod with its ordinary API. A service may grow beyond it.
test('the bundle is at most 2.75 MB, without the at most 666 kB of files for browsers', () => {
  const bundle = readFileSync('dist/server.cjs', 'utf8')
  const carried = [...bundle.matchAll(/"[A-Za-z0-9+/=]{10000,}"/g)].reduce((sum, [text]) => sum + text.length, 0)
  expect(carried).toBeGreaterThan(400_000)
  expect(carried).toBeLessThanOrEqual(666_000)
  expect(bundle.length - carried).toBeLessThanOrEqual(2_750_000)
})
