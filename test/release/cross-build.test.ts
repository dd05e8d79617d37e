import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { succeed } from '../support/run.ts'

const root = join(import.meta.dirname, '../..')

/** Reads the format and the processor from the first bytes. */
function format(file: Buffer): string {
  const machine = (offset: number, bytes: 2 | 4) => `0x${file.readUIntLE(offset, bytes).toString(16)}`
  if (file.readUInt32BE(0) === 0x7f454c46) return `ELF ${machine(18, 2)}`
  if (file.readUInt32LE(0) === 0xfeedfacf) return `Mach-O ${machine(4, 4)}`
  const header = file.readUInt32LE(0x3c)
  if (file.toString('latin1', header, header + 4) === 'PE\0\0') return `PE ${machine(header + 4, 2)}`
  return 'unknown'
}

test.each([
  ['linux-x64', '', 'ELF 0x3e'],
  ['linux-arm64', '', 'ELF 0xb7'],
  ['darwin-x64', '', 'Mach-O 0x1000007'],
  ['darwin-arm64', '', 'Mach-O 0x100000c'],
  ['win-x64', '.exe', 'PE 0x8664'],
])(
  'TARGET=%s builds an executable for that platform that contains the service',
  async (target, suffix, expected) => {
    await succeed('make', ['build', `TARGET=${target}`], { cwd: root })
    const file = readFileSync(join(root, `dist/app-${target}${suffix}`))
    expect(format(file)).toBe(expected)
    // Node runs the bundled program when this mark ends with 1.
    expect(file.includes('NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2:1')).toBe(true)
    const bundle = readFileSync(join(root, 'dist/server.cjs'), 'latin1')
    const [code = '', files = ''] = bundle.split('\nfunction pageFiles() {')
    expect(file.includes(code, 0, 'latin1')).toBe(true)
    const pages = [...files.matchAll(/"?swagger-ui[\w-]*\.\w+"?:\s*"([\w+/=]+)"/g)].map(([, encoded = '']) => encoded)
    expect(pages.map((encoded) => file.includes(Buffer.from(encoded, 'base64')))).toEqual([true, true])
  },
  300_000,
)
