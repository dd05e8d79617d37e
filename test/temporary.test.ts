import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, expect, test } from '@jest/globals'
import { temporaryDirectory } from './support/temporary.ts'

const directory = temporaryDirectory('hooks')
// The servers of a test file stop in its hooks, and write to their directories until then.
afterAll(() => expect(existsSync(directory)).toBe(true))

test('a command removes its directories when it exits', () => {
  const program = `
    import { temporaryDirectory } from ${JSON.stringify(resolve('test/support/temporary.ts'))}
    process.stdout.write(temporaryDirectory('command'))`
  const path = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  expect(path).toMatch(/command-\w+$/)
  expect(existsSync(path)).toBe(false)
})
