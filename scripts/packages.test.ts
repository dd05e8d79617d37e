import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { beforeEach, expect, test } from '@jest/globals'
import { run } from '../test/support/run.ts'
import { temporaryDirectory } from '../test/support/temporary.ts'

let root: string
const at = (...path: string[]) => join(root, ...path)

/** Writes a lock file whose only package has this version. */
function writeLock(version: string, name = 'my-service'): void {
  const packages = { '': { name, version: '0.1.0' }, 'node_modules/a': { version } }
  writeFileSync(at('package-lock.json'), JSON.stringify({ name, version: '0.1.0', packages }))
}

beforeEach(() => {
  root = temporaryDirectory('packages')
  for (const folder of ['scripts', '.toolchain', 'bin']) mkdirSync(at(folder), { recursive: true })
  copyFileSync('scripts/packages.sh', at('scripts/packages.sh'))
  writeFileSync(at('.npmrc'), 'fund=false\n')
  writeLock('1.0.0')
  // The npm of this test lists its runs, and ends when the file `go` exists.
  writeFileSync(
    at('bin/npm'),
    '#!/bin/sh\necho run >>runs\nuntil [ -f go ]; do sleep 0.1; done\nmkdir -p node_modules\ncp package-lock.json node_modules/.package-lock.json\n',
  )
  chmodSync(at('bin/npm'), 0o755)
})

function start() {
  const PATH = [at('bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
  return spawn('sh', ['scripts/packages.sh'], { cwd: root, env: { ...process.env, PATH }, stdio: 'ignore' })
}
async function install(): Promise<void> {
  const [code] = await once(start(), 'exit')
  expect(code).toBe(0)
}
const countRuns = () => (existsSync(at('runs')) ? readFileSync(at('runs'), 'utf8').trim().split('\n').length : 0)

test('two installations at the same time install once', async () => {
  const changes = watch(root)
  const [one, two] = [start(), start()]
  const ended = Promise.all([once(one, 'exit'), once(two, 'exit')])
  while (countRuns() === 0) await once(changes, 'change')
  changes.close()
  writeFileSync(at('go'), '')
  expect((await ended).map(([code]) => code)).toEqual([0, 0])
  expect(countRuns()).toBe(1)
})

test('the lock of a process that has died does not stop an installation', async () => {
  writeFileSync(at('go'), '')
  const dead = spawn('sh', ['-c', `ln -s $$ .toolchain/installing`], { cwd: root })
  await once(dead, 'exit')
  await install()
  expect(countRuns()).toBe(1)
  expect(existsSync(at('.toolchain/installing'))).toBe(false)
})

test('a lock that another process takes while this process reads it is not removed', async () => {
  writeFileSync(at('go'), '')
  const lock = '.toolchain/installing'
  symlinkSync('0', at(lock))
  // The first look finds no lock, which another process then takes. The second look finds its lock.
  writeFileSync(
    at('bin/readlink'),
    `#!/bin/sh\n[ -f asked ] && touch again && echo ${process.pid} && exit\ntouch asked\nln -sfn ${process.pid} ${lock}\nexit 1\n`,
  )
  chmodSync(at('bin/readlink'), 0o755)
  const changes = watch(root)
  const waiting = start()
  const ended = once(waiting, 'exit')
  while (!existsSync(at('again')) && waiting.exitCode === null) await Promise.race([once(changes, 'change'), ended])
  changes.close()
  expect(countRuns()).toBe(0)
  rmSync(at(lock))
  await ended
  expect(countRuns()).toBe(1)
})

test('a folder in which no file can be created stops an installation with the reason', async () => {
  rmSync(at('.toolchain'), { recursive: true })
  writeFileSync(at('.toolchain'), '')
  writeFileSync(at('go'), '')
  const PATH = [at('bin'), dirname(process.execPath), process.env['PATH']].join(delimiter)
  const { code, stderr } = await run('sh', ['scripts/packages.sh'], { cwd: root, env: { PATH } })
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('.toolchain/installing') })
  expect(countRuns()).toBe(0)
})

test('another name of the project installs nothing, and another version of a package installs again', async () => {
  writeFileSync(at('go'), '')
  await install()
  writeLock('1.0.0', 'orders')
  await install()
  expect(countRuns()).toBe(1)
  writeLock('1.0.1', 'orders')
  await install()
  expect(countRuns()).toBe(2)
})

test('packages that were installed by hand are replaced', async () => {
  writeFileSync(at('go'), '')
  await install()
  writeFileSync(at('node_modules/.package-lock.json'), '{}')
  await install()
  expect(countRuns()).toBe(2)
})
