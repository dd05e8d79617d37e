import { expect, test } from '@jest/globals'
import { run } from '../../test/support/run.ts'

const capacity = (env: Readonly<Record<string, string>>) =>
  run(process.execPath, ['load/capacity.ts'], { env: { TARGET: '300', SLO: 'p99<250ms', ...env } })

test('wrong variables end the command with 64 and every problem', async () => {
  const { code, stderr } = await capacity({ SLO: 'fast', TARGET: '', ZONES: '0' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^TARGET: .*\nSLO: «fast» .*\nZONES: .*\nmake capacity TARGET=5000 /)
})

test('an unknown scenario ends the command with 64 and the names of the scenarios', async () => {
  const { code, stderr } = await capacity({ SCENARIO: 'none' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^unknown scenario none: expected .*ping/)
})
