import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

// The experiments share the machine with the other tests, and each holds its fault for 5 s.
jest.setTimeout(600_000)

const FILE = 'chaos/redis-gone.json'
const directory = temporaryDirectory('experiments')

/** Writes the experiment with other texts. @returns the path of the file */
function writeVariant(name: string, changes: Readonly<Record<string, string>>): string {
  let text = readFileSync(FILE, 'utf8')
  for (const [from, to] of Object.entries(changes)) {
    if (!text.includes(from)) throw new Error(`${FILE} does not contain ${from}`)
    text = text.replace(from, to)
  }
  const file = join(directory, `${name}.json`)
  writeFileSync(file, text)
  return file
}

test('the hypothesis of every experiment holds, and the report names each of them', async () => {
  const { code, stdout, stderr } = await run('node', ['chaos/main.ts'], { env: { QUICK: '1' } })
  expect({ code, output: code === 0 ? '' : `${stdout}${stderr}` }).toEqual({ code: 0, output: '' })
  const [report, timeline] = [readFileSync('chaos/report.md', 'utf8'), readFileSync('chaos/report.svg', 'utf8')]
  for (const name of globSync('chaos/*.json').map((file) => basename(file, '.json'))) {
    expect(report).toMatch(new RegExp(`\\| \\[${name}\\]\\(#${name}\\) \\| passed \\|`))
    expect(timeline).toContain(`>${name}</text>`)
  }
})

test('a hypothesis that fails and a fault that has no effect end the command with 1', async () => {
  const failing = writeVariant('failing', {
    '"tolerance": 200': '"tolerance": { "type": "regex", "target": "body", "pattern": "redis.:{.status.:.ok" }',
    '/health/ready': '/health',
  })
  const ineffective = writeVariant('ineffective', { '/proxies/redis': '/proxies/radish' })
  const { code, stdout } = await run('node', ['chaos/main.ts', failing, ineffective], { env: { QUICK: '1' } })
  expect(stdout).toMatch(/^failing: failed: the service is ready: 200/m)
  expect(stdout).toMatch(/^ineffective: invalid: cut Redis off: status 404/m)
  expect(code).toBe(1)
})
