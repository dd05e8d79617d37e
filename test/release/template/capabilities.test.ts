import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { expect, jest, test } from '@jest/globals'
import { CAPABILITIES, listCapabilities } from '../../../scripts/template/capabilities.ts'
import { makeService } from '../../../scripts/template/make-service.ts'
import { run, succeed } from '../../support/run.ts'
import { temporaryDirectory } from '../../support/temporary.ts'

jest.setTimeout(600_000)

const git = async (...args: string[]) => (await succeed('git', args)).split('\0').filter(Boolean)
const paths = await git('ls-files', '-z')
const capabilities = listCapabilities(paths)
const template = new Map(paths.map((path) => [path, readFileSync(path, 'latin1')]))
const origin = { commit: 'c0ffee', template: undefined, year: 2031 }
const own = { name: 'orders', example: 'yes', deploy: 'all', license: 'none', owner: '' }

/** Writes the service without a capability, and without those that need it. The packages are those of the template. */
async function write(name: string): Promise<string> {
  const chosen = capabilities.filter((other) => other !== name && !CAPABILITIES[other]?.needs?.includes(name))
  const directory = temporaryDirectory(`without-${name}`)
  for (const [path, text] of makeService(template, { ...own, with: chosen.join(',') }, origin)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true })
    writeFileSync(join(directory, path), text, 'latin1')
  }
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'))
  await succeed('git', ['init', '--quiet'], { cwd: directory })
  await succeed('git', ['add', '--all'], { cwd: directory })
  return directory
}

test.each(capabilities)(
  'a service without %s passes the checks of style, types and unused code, and its unit tests',
  async (name) => {
    const cwd = await write(name)
    const jestProgram = [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
    ]
    const checks = [
      ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings'],
      ['node_modules/typescript/bin/tsc'],
      ['node_modules/knip/bin/knip.js', '--no-config-hints'],
      [...jestProgram, 'config', 'internal', 'src', '--selectProjects', 'unit'],
    ]
    for (const args of checks) {
      const { code, stdout, stderr } = await run(process.execPath, args, { cwd })
      expect({ args, code, output: code === 0 ? '' : stdout + stderr }).toEqual({ args, code: 0, output: '' })
    }
  },
)
