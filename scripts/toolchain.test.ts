import { copyFileSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { beforeEach, expect, test } from '@jest/globals'
import { run } from '../test/support/run.ts'
import { temporaryDirectory } from '../test/support/temporary.ts'

/** Prints its real path and its version, as Node does. */
const NODE = '#!/bin/sh\ncase $1 in -p) readlink -f "$0" ;; *) echo v26.10.0 ;; esac\n'

let root: string
let machine: string

function writeProgram(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text, { mode: 0o755 })
}

beforeEach(() => {
  root = realpathSync(temporaryDirectory('toolchain'))
  machine = join(root, 'machine')
  mkdirSync(join(root, 'project/scripts/toolchain'), { recursive: true })
  for (const file of ['install.sh', 'package.json', 'package-lock.json'])
    copyFileSync(`scripts/toolchain/${file}`, join(root, 'project/scripts/toolchain', file))
  copyFileSync('.npmrc', join(root, 'project/.npmrc'))
  writeFileSync(join(root, 'project/.nvmrc'), '26.10.0\n')
  writeProgram(join(machine, 'node'), NODE)
  // The npm of this test installs the same program.
  writeProgram(
    join(machine, 'npm'),
    `#!/bin/sh\nmkdir -p node_modules/node-x/bin && cp ${join(machine, 'node')} node_modules/node-x/bin/node\n`,
  )
})

/** Runs the script as make does, which puts the real path of the project on the PATH. */
function install(cwd: string, ...first: string[]) {
  const PATH = [...first, join(root, 'project/.toolchain/bin'), machine, process.env['PATH']].join(delimiter)
  return run('sh', ['scripts/toolchain/install.sh'], { cwd, env: { PATH, PWD: cwd } })
}
const findNode = () => realpathSync(join(root, 'project/.toolchain/bin/node'))

test('an installation through a symbolic link to the project links the Node of the machine again', async () => {
  const link = join(root, 'link')
  symlinkSync('project', link)
  for (const _ of [1, 2]) {
    expect(await install(link)).toMatchObject({ code: 0, stderr: '' })
    expect(findNode()).toBe(join(machine, 'node'))
  }
})

test('the Node of another checkout is not linked, because that checkout may be deleted', async () => {
  const other = join(root, 'other/.toolchain/bin')
  writeProgram(join(other, 'node'), NODE)
  expect(await install(join(root, 'project'), other)).toMatchObject({ code: 0 })
  expect(findNode()).toBe(join(root, 'project/.toolchain/host/node_modules/node-x/bin/node'))
})

test('an older Node of the machine is replaced', async () => {
  writeFileSync(join(root, 'project/.nvmrc'), '26.11.0\n')
  const { code, stderr } = await install(join(root, 'project'))
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'fetching Node 26.11.0 (this machine has 26.10.0)\n' })
  expect(readFileSync(findNode(), 'utf8')).toBe(NODE)
})
