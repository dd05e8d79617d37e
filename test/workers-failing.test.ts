import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { killApps, linesOf, startApp } from './support/app.ts'
import { until } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { alive, statusesOf, workersOf } from './support/workers.ts'

jest.setTimeout(60_000)

let directory: string
beforeEach(() => {
  directory = temporaryDirectory('workers')
})
afterEach(killApps)

const env = { WORKERS: '2', DRAIN_DELAY_MS: '0' }

/** Workers of this artifact say that they run, by a file of their number, and hang while `hold` exists. */
function holdingArtifact(hold: string): string {
  const wait = `{
    const { existsSync, writeFileSync } = require('node:fs')
    const [hold, directory] = ${JSON.stringify([hold, directory])}
    if (process.argv[2] === 'worker' && existsSync(hold)) {
      writeFileSync(directory + '/' + process.pid + '.held', '')
      while (existsSync(hold)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }\n`
  const artifact = join(directory, 'server.cjs')
  writeFileSync(artifact, wait + readFileSync('dist/server.cjs', 'utf8'))
  return artifact
}
const held = () => readdirSync(directory).flatMap((name) => (name.endsWith('.held') ? Number.parseInt(name, 10) : []))

test('an executable that is missing stops a roll-out and is tried again for a dead worker, while the others serve', async () => {
  const program = join(directory, 'app')
  copyFileSync('dist/app', program)
  const app = await startApp({ program: [program], env })
  await app.line({ msg: 'serving', pid: app.pid })
  renameSync(program, `${program}.old`)
  app.signal('SIGHUP')
  expect(await app.line({ msg: 'roll-out stopped' })).toMatchObject({ err: { code: 'ENOENT' } })
  expect(workersOf(app)).toHaveLength(2)

  renameSync(`${program}.old`, program)
  chmodSync(program, 0o644)
  process.kill(workersOf(app)[0] ?? 0, 'SIGKILL')
  expect(await app.line({ msg: 'worker failed to start' })).toMatchObject({ err: { code: 'EACCES' } })
  expect((await fetch(`${app.url}/ping`)).status).toBe(200)
  chmodSync(program, 0o755)
  await until(() => workersOf(app).length === 2)
})

test('a roll-out starts the executable behind a symbolic link that was swapped', async () => {
  for (const version of ['one', 'two']) mkdirSync(join(directory, version))
  copyFileSync('dist/app', join(directory, 'one/app'))
  writeFileSync(join(directory, 'two/app'), '#!/bin/sh\nexit 3\n', { mode: 0o755 })
  symlinkSync('one', join(directory, 'current'))
  const app = await startApp({ program: [join(directory, 'current/app')], env })
  await app.line({ msg: 'serving', pid: app.pid })
  symlinkSync('two', join(directory, 'next'))
  renameSync(join(directory, 'next'), join(directory, 'current'))
  app.signal('SIGHUP')
  const err = { message: 'worker ended with 3 before it was ready' }
  expect(await app.line({ msg: 'roll-out stopped' })).toMatchObject({ err })
})

test('SIGTERM while a successor starts ends it too, and cuts no request in flight', async () => {
  const hold = join(directory, 'hold')
  const app = await startApp({ program: [process.execPath, holdingArtifact(hold)], env })
  await app.line({ msg: 'serving', pid: app.pid })
  const workers = workersOf(app)
  const post = request({
    port: app.port,
    host: '127.0.0.1',
    path: '/ping',
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-length': 2 },
    agent: false,
  })
  const answer = once(post, 'response')
  post.write('[')
  writeFileSync(hold, '')
  app.signal('SIGHUP')
  await until(() => held().length === 1)
  const [successor = 0] = held()
  app.signal('SIGTERM')
  await Promise.all(workers.map((pid) => app.line({ msg: 'draining', pid })))
  rmSync(hold)
  await until(() => !alive(successor))
  post.end(']')
  const [{ statusCode }] = await answer
  expect(statusCode).toBe(405)
  expect(await app.ended).toEqual({ code: 0, signal: null })
})

test('while a worker retires SIGTERM makes it not ready either, and SIGINT does not wait for its delay', async () => {
  const times = { DRAIN_DELAY_MS: '100000', SHUTDOWN_TIMEOUT_MS: '200000' }
  const retiring = async () => {
    const app = await startApp({ env: { ...env, ...times } })
    await app.line({ msg: 'serving', pid: app.pid })
    app.signal('SIGHUP')
    await app.line({ msg: 'draining' })
    return app
  }
  const terminated = await retiring()
  expect(await statusesOf(terminated, '/health/ready')).toEqual(new Set([200]))
  terminated.signal('SIGTERM')
  await until(async () => !(await statusesOf(terminated, '/health/ready')).has(200))
  await killApps()

  const interrupted = await retiring()
  interrupted.signal('SIGINT')
  expect(await interrupted.ended).toEqual({ code: 0, signal: null })
  expect(linesOf(interrupted, 'signal').map(({ pid, signal }) => [pid, signal])).toEqual([
    [interrupted.pid, 'SIGHUP'],
    [interrupted.pid, 'SIGINT'],
  ])
})

test.each([
  ['the deadline', '3000', false],
  ['a second signal', '600000', true],
])('workers that hang in their start do not outlive %s', async (_end, SHUTDOWN_TIMEOUT_MS, again) => {
  const hold = join(directory, 'hold')
  writeFileSync(hold, '')
  const primary = spawn(process.execPath, [holdingArtifact(hold)], {
    env: { ...env, PORT: '0', SHUTDOWN_TIMEOUT_MS },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const ended = once(primary, 'exit')
    await until(() => held().length === 2)
    const signalledAt = performance.now()
    primary.kill('SIGTERM')
    for await (const line of createInterface({ input: primary.stdout })) if (JSON.parse(line).msg === 'draining') break
    if (again) primary.kill('SIGTERM')
    expect(await ended).toEqual([1, null])
    // The primary's own deadline is two seconds later, and the workers had 30 s to become ready.
    expect(performance.now() - signalledAt).toBeLessThan(7_500)
    await until(() => !held().some(alive))
    expect(existsSync(hold)).toBe(true)
  } finally {
    primary.kill('SIGKILL')
    for (const pid of held().filter(alive)) process.kill(pid, 'SIGKILL')
  }
})
