import { execFileSync } from 'node:child_process'
import { expect, test } from '@jest/globals'

/** Keeps an object of each call for a few collections, like a start does. Returns V8's reports about its decisions. */
function reportDecisions(before: string): string {
  const script = `
    ${before}
    const kept = []
    function create(number) { return { number, list: [] } }
    for (let number = 0; number < 400_000; number++) kept.push(create(number))`
  return execFileSync(
    process.execPath,
    ['--trace-pretenuring-statistics', '--max-semi-space-size=1', '--input-type=module', '--eval', script],
    { cwd: import.meta.dirname, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
  )
}

test('V8 decides to allocate objects in the old generation, and no longer does so after disablePretenuring', () => {
  expect(reportDecisions('')).toContain('=> tenure')
  const disable = `import { disablePretenuring } from './pretenuring.ts'; disablePretenuring()`
  expect(reportDecisions(disable)).not.toContain('=> tenure')
})
