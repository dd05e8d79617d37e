import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { run } from '../support/run.ts'
import { temporaryDirectory } from '../support/temporary.ts'

jest.setTimeout(600_000)

test.each([
  ['pgbouncer', 'with its default configuration'],
  ['pgbouncer-named', 'with named statements'],
])('all tests of the notes pass through %s in transaction mode, %s', async (pooler) => {
  const report = join(temporaryDirectory('notes'), 'report.json')
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js']
  const env = { E2E_POOLER: pooler }
  const args = [...flags, 'test/notes', '--selectProjects', 'e2e', '--maxWorkers=1', '--json', `--outputFile=${report}`]
  const { code, stderr } = await run(process.execPath, args, { env })
  expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
  const { numPassedTests, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
  expect(numPassedTests).toBeGreaterThan(50)
  expect(numPendingTests).toBe(0)
})
