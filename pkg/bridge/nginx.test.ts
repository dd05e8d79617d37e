import { execFileSync, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createNginxSink } from './nginx.ts'

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nginx-'))
  path = join(directory, 'servers.conf')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Only Linux has a device that is always full. */
const testOnLinux = existsSync('/dev/full') ? test : test.skip

const LIST = [
  { host: '10.0.0.1', port: 80, weight: 1 },
  { host: '2001:db8::1', port: 81, weight: 1 },
]
const PARAMETERS = 'max_fails=1 fail_timeout=1s'

/**
 * A program in place of nginx: it appends its arguments to a file, and fails while the file `fail-<first argument>`
 * exists, with its text.
 */
const STAND_IN = `
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
const [directory, ...args] = process.argv.slice(2)
appendFileSync(directory + '/calls', args.join(' ') + '\\n')
const fail = directory + '/fail' + args[0]
if (existsSync(fail)) {
  const text = readFileSync(fail, 'utf8')
  if (text === 'hang') setInterval(() => {}, 1000)
  else { process.stderr.write(text); process.exitCode = 1 }
}
`

function createSink(timeoutMs = 10_000) {
  const program = join(directory, 'nginx.mjs')
  writeFileSync(program, STAND_IN)
  return createNginxSink({ path, command: [process.execPath, program, directory], timeoutMs })
}

function calls(): string[] {
  const file = join(directory, 'calls')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

const fail = (argument: string, text: string) => writeFileSync(join(directory, `fail${argument}`), text)

test('the list is written, tested and loaded', async () => {
  await createSink().publish(LIST)
  expect(readFileSync(path, 'utf8')).toBe(
    [
      '# app bridge writes this file.',
      `server 10.0.0.1:80 weight=1 ${PARAMETERS};`,
      `server [2001:db8::1]:81 weight=1 ${PARAMETERS};`,
      '',
    ].join('\n'),
  )
  expect(calls()).toEqual(['-t', '-s reload'])
})

test('the same list is not loaded twice, but once by each process', async () => {
  const sink = createSink()
  await sink.publish(LIST)
  await sink.publish(LIST)
  expect(calls()).toEqual(['-t', '-s reload'])
  await createSink().publish(LIST)
  expect(calls()).toEqual(['-t', '-s reload', '-s reload'])
})

test('weight 0 is down, and an empty list is a server that is down, because nginx refuses an empty upstream', async () => {
  const sink = createSink()
  await sink.publish([{ host: '10.0.0.1', port: 80, weight: 0 }])
  expect(readFileSync(path, 'utf8')).toContain(`server 10.0.0.1:80 down ${PARAMETERS};`)
  await sink.publish([])
  expect(readFileSync(path, 'utf8')).toContain('server 127.0.0.1:1 down;')
})

test('a failed test restores the file, names the reason, and nginx is not reloaded', async () => {
  const sink = createSink()
  await sink.publish(LIST)
  const before = readFileSync(path, 'utf8')
  fail('-t', 'nginx: [emerg] host not found in upstream\nnginx: configuration file x test failed\n')
  await expect(sink.publish([])).rejects.toThrow(/-t: nginx: \[emerg\] host not found in upstream$/)
  expect(readFileSync(path, 'utf8')).toBe(before)
  expect(calls()).toEqual(['-t', '-s reload', '-t'])
  rmSync(join(directory, 'fail-t'))
  await sink.publish([])
  expect(calls()).toEqual(['-t', '-s reload', '-t', '-t', '-s reload'])
})

test('a failed test of the first file removes it', async () => {
  const sink = createSink()
  fail('-t', 'nginx: [emerg] no')
  await expect(sink.publish(LIST)).rejects.toThrow('no')
  expect(existsSync(path)).toBe(false)
})

test('a failed reload is an error, and the next call reloads without another test', async () => {
  const sink = createSink()
  fail('-s', 'nginx: [error] invalid PID number "" in "nginx.pid"')
  await expect(sink.publish(LIST)).rejects.toThrow('-s reload: nginx: [error] invalid PID number')
  rmSync(join(directory, 'fail-s'))
  await sink.publish(LIST)
  expect(calls()).toEqual(['-t', '-s reload', '-s reload'])
})

test('a program that hangs is killed, and the file is restored', async () => {
  await createSink().publish(LIST)
  const before = readFileSync(path, 'utf8')
  fail('-t', 'hang')
  await expect(createSink(1).publish([])).rejects.toThrow('no exit within 1 ms')
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test('a wrapper that hangs is killed with its children', async () => {
  const child = `sleep 10000.${process.pid}`
  const sink = createNginxSink({ path, command: ['sh', '-c', `${child} & wait`], timeoutMs: 500 })
  await expect(sink.publish(LIST)).rejects.toThrow('no exit within 500 ms')
  const isRunning = () => execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).includes(child)
  for (let looks = 0; looks < 100 && isRunning(); looks++) await setImmediate()
  expect(isRunning()).toBe(false)
})

test('a program that hangs and cannot be killed is an error too, and its pipes are closed', async () => {
  const countPipes = () => process.getActiveResourcesInfo().filter((name) => name === 'PipeWrap').length
  const before = countPipes()
  const kill = jest.spyOn(process, 'kill').mockImplementation(() => {
    throw new Error('EPERM')
  })
  const sink = createNginxSink({ path, command: ['sh', '-c', 'exec sleep 60'], timeoutMs: 1 })
  await expect(sink.publish(LIST)).rejects.toThrow('no exit within 1 ms')
  for (let looks = 0; looks < 100 && countPipes() > before; looks++) await setImmediate()
  expect(countPipes()).toBeLessThanOrEqual(before)
  const [group] = kill.mock.calls[0] ?? []
  kill.mockRestore()
  process.kill(Number(group), 'SIGKILL')
})

testOnLinux('a process without free file descriptors reports an error, and does not end', async () => {
  const command = ['true']
  await createNginxSink({ path, command }).publish(LIST)
  const script = `
    import { closeSync, openSync } from 'node:fs'
    import { createNginxSink } from '${import.meta.dirname}/nginx.ts'
    const sink = createNginxSink(${JSON.stringify({ path, command })})
    const opened = []
    try {
      for (;;) opened.push(openSync('/dev/null'))
    } catch {}
    // Reading the file needs one descriptor, and a pipe needs two.
    closeSync(opened.pop())
    sink.publish(${JSON.stringify(LIST)}).catch(({ message }) => process.stdout.write(message))`
  const args = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script]
  expect(spawnSync('sh', args, { encoding: 'utf8' })).toMatchObject({
    status: 0,
    stdout: 'true -s reload: exit code EMFILE',
  })
})

test('a missing program is an error, and the file is restored', async () => {
  const sink = createNginxSink({ path, command: [join(directory, 'none')] })
  await expect(sink.publish(LIST)).rejects.toThrow('ENOENT')
  expect(existsSync(path)).toBe(false)
})

testOnLinux('a full disk leaves the old file, and the next call writes the new file', async () => {
  const sink = createSink()
  await sink.publish(LIST)
  const before = readFileSync(path, 'utf8')
  // The next write goes to a device that is always full.
  symlinkSync('/dev/full', `${path}.new`)
  await expect(sink.publish([])).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(readFileSync(path, 'utf8')).toBe(before)
  await sink.publish([])
  expect(calls()).toEqual(['-t', '-s reload', '-t', '-s reload'])
})

test('a directory that refuses the new file leaves the old file', async () => {
  const sink = createSink()
  await sink.publish(LIST)
  const before = readFileSync(path, 'utf8')
  // A directory with the name of the temporary file makes the write fail for every user, also for root.
  mkdirSync(`${path}.new`)
  await expect(sink.publish([])).rejects.toMatchObject({ code: 'EISDIR' })
  expect(readFileSync(path, 'utf8')).toBe(before)
  expect(calls()).toEqual(['-t', '-s reload'])
})

test('no temporary file stays', async () => {
  await createSink().publish(LIST)
  expect(readdirSync(directory).filter((name) => name.endsWith('.new'))).toEqual([])
})
