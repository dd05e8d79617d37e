import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { setImmediate } from 'node:timers/promises'
import { afterEach, describe, expect, jest, test } from '@jest/globals'
import { findReason } from '../policy.ts'
import { commandCheck } from './command.ts'
import { createHeartbeat } from './heartbeat.ts'
import { postgresCheck } from './postgres.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    if ('closeAllConnections' in server) (server as { closeAllConnections(): void }).closeAllConnections()
    server.close()
  }
})

async function listen(server: Server): Promise<number> {
  servers.push(server.listen(0, '127.0.0.1'))
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

const serve = async (listener: RequestListener) => `http://127.0.0.1:${await listen(createServer(listener))}/live`

/** Returns the published reason of a run, or `ok`. */
async function outcome(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'ok'
  } catch (error) {
    return findReason(error)
  }
}

const never = new AbortController().signal

async function closedPort(): Promise<number> {
  const server = createTcpServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

describe('the check of a URL', () => {
  test.each([
    [200, 'ok'],
    [204, 'ok'],
    [302, 'unhealthy'],
    [404, 'unhealthy'],
    [503, 'unhealthy'],
  ])('status %d is %s', async (status, expected) => {
    const url = await serve((_request, response) => response.writeHead(status, { location: '/' }).end())
    expect(await outcome(createHeartbeat({ type: 'http', url })(never))).toBe(expected)
  })

  test('an endless body does not delay the result', async () => {
    const url = await serve((_request, response) => void response.writeHead(200).write('x'))
    expect(await outcome(createHeartbeat({ type: 'http', url })(never))).toBe('ok')
  })

  test('a server that switches protocols is unhealthy', async () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'
    const port = await listen(createTcpServer((socket) => void socket.once('data', () => socket.write(head))))
    const url = `http://127.0.0.1:${port}/`
    expect(await outcome(createHeartbeat({ type: 'http', url })(never))).toBe('unhealthy')
  })

  test('a request without a response ends when the signal aborts', async () => {
    const abort = new AbortController()
    let closed: Promise<unknown> | undefined
    const url = await serve((request) => {
      closed = once(request.socket, 'close')
      abort.abort()
    })
    await expect(createHeartbeat({ type: 'http', url })(abort.signal)).rejects.toThrow()
    await closed
  })

  test('a closed port is refused', async () => {
    const url = `http://127.0.0.1:${await closedPort()}/`
    expect(await outcome(createHeartbeat({ type: 'http', url })(never))).toBe('refused')
  })
})

describe('the check of a port', () => {
  test('an open port is ok and its connection is closed again', async () => {
    const server = createTcpServer()
    const port = await listen(server)
    const connected = once(server, 'connection')
    expect(await outcome(createHeartbeat({ type: 'tcp', host: '127.0.0.1', port })(never))).toBe('ok')
    const [socket] = await connected
    socket.resume()
    await once(socket, 'close')
  })

  test('a closed port is refused, and an unknown host is unresolved', async () => {
    expect(await outcome(createHeartbeat({ type: 'tcp', host: '127.0.0.1', port: await closedPort() })(never))).toBe(
      'refused',
    )
    expect(await outcome(createHeartbeat({ type: 'tcp', host: 'no-such-host.invalid', port: 1 })(never))).toBe(
      'unresolved',
    )
  })
})

describe('commandCheck', () => {
  test('exit code 0 is ok, and another exit code is unhealthy with the output for the log', async () => {
    expect(await outcome(commandCheck('/bin/true')(never))).toBe('ok')
    const check = commandCheck('/bin/sh', ['-c', 'echo disk full >&2; exit 3'])
    // With several commands, the event loop may see the end of a command before its output.
    const failures = await Promise.all(Array.from({ length: 20 }, () => check(never).catch((error) => error)))
    const failure = { reason: 'unhealthy', message: '/bin/sh ended with 3: disk full' }
    expect(failures).toEqual(failures.map(() => expect.objectContaining(failure)))
  })

  test('a missing command is an error', async () => {
    expect(await outcome(commandCheck('/no/such/command')(never))).toBe('error')
  })

  test('no shell expands the arguments', async () => {
    expect(await outcome(commandCheck('/usr/bin/test', ['$(exit 1)', '=', '$(exit 1)'])(never))).toBe('ok')
  })

  test('the processes of a command are killed with it, and its environment has no secrets', async () => {
    const abort = new AbortController()
    const mark = `600.${process.pid}`
    const run = commandCheck('/bin/sh', ['-c', `sleep ${mark}; true`])(abort.signal)
    const sleeping = () => execFileSync('ps', ['-A', '-o', 'args='], { encoding: 'utf8' }).includes(`\nsleep ${mark}`)
    while (!sleeping()) await setImmediate()
    abort.abort()
    await expect(run).rejects.toThrow('SIGKILL')
    while (sleeping()) await setImmediate()
    process.env['CHECK_SECRET'] = 'hunter2'
    const secret = commandCheck('/bin/sh', ['-c', 'test -z "$CHECK_SECRET"'])(never)
    expect(await outcome(secret)).toBe('ok')
  })

  test('a process that a command leaves behind does not keep the output of the command open', async () => {
    const script = `
      import { commandCheck } from '${import.meta.dirname}/command.ts'
      const run = commandCheck('/bin/sh', ['-c', 'sleep 600 & echo $! >&2; exit 3'])
      run(new AbortController().signal).catch(({ message }) => process.stdout.write(message))`
    // The child process ends when it has no open handle.
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(child, 'exit')
    const message = await text(child.stdout)
    process.kill(Number(/: (\d+)$/.exec(message)?.[1]), 'SIGKILL')
    expect(await ended).toEqual([0, null])
  })

  test('a command that hangs is killed when the signal aborts', async () => {
    const abort = new AbortController()
    const run = commandCheck('/bin/sleep', ['600'])(abort.signal)
    abort.abort()
    await expect(run).rejects.toMatchObject({ reason: 'unhealthy', message: expect.stringContaining('SIGKILL') })
  })

  test('a command that cannot start because no file descriptor is free is an error, not a crash', () => {
    const script = `
      import { openSync } from 'node:fs'
      import { commandCheck } from '${import.meta.dirname}/command.ts'
      const run = commandCheck('/bin/true')
      try {
        for (;;) openSync('/dev/null')
      } catch {}
      run(new AbortController().signal).catch(({ code }) => process.stdout.write(code))`
    const limited = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script]
    expect(execFileSync('/bin/sh', limited, { encoding: 'utf8' })).toBe('EMFILE')
  })

  test.each([
    ['belongs to another user', 'EPERM'],
    ['has just ended', 'ESRCH'],
  ])('a command that %s cannot be killed, and the check waits for its end', async (_name, code) => {
    const kill = jest.spyOn(process, 'kill').mockImplementationOnce(() => {
      throw Object.assign(new Error(code), { code })
    })
    const abort = new AbortController()
    const run = commandCheck('/bin/sh', ['-c', 'exit 3'])(abort.signal)
    abort.abort()
    expect(kill.mock.calls).toEqual([[expect.any(Number), 'SIGKILL']])
    kill.mockRestore()
    await expect(run).rejects.toMatchObject({ message: '/bin/sh ended with 3: ' })
  })
})

describe('postgresCheck', () => {
  /** The driver's result when these migrations have been applied. */
  const names = (...applied: readonly string[]) => ({ rows: applied.map((name) => ({ name })) })

  function pool(query: (text: string, values?: readonly unknown[]) => Promise<{ rows: readonly unknown[] }>) {
    const release = jest.fn<(destroy: boolean) => void>()
    return { release, pool: { connect: async () => ({ query, release }) } }
  }

  test('keeps a connection that responded and closes a connection that did not', async () => {
    const good = pool(async () => names())
    await postgresCheck(good)(never)
    expect(good.release.mock.calls).toEqual([[false]])
    const bad = pool(() => Promise.reject(new Error('gone')))
    await expect(postgresCheck(bad)(never)).rejects.toThrow('gone')
    expect(bad.release.mock.calls).toEqual([[true]])
  })

  test('a late connection is closed and is not a success', async () => {
    const abort = new AbortController()
    abort.abort(new Error('too late'))
    const late = pool(async () => names())
    await expect(postgresCheck(late)(abort.signal)).rejects.toThrow('too late')
    expect(late.release.mock.calls).toEqual([[true]])
  })

  test('closes a connection whose query hangs, once, when the signal aborts', async () => {
    const abort = new AbortController()
    let fail = (_error: Error) => {}
    const hanging = pool(
      () =>
        new Promise((_resolve, reject) => {
          fail = reject
          abort.abort()
        }),
    )
    const run = postgresCheck(hanging)(abort.signal)
    hanging.release.mockImplementation(() => fail(new Error('closed')))
    await expect(run).rejects.toThrow()
    expect(hanging.release.mock.calls).toEqual([[true]])
  })

  test('fails with reason migrations until the database has every migration of this build', async () => {
    const migrations = ['20261122204600-updated-at', '20261122204602-orders']
    let applied = names('20261122204600-updated-at')
    const query = jest.fn(async (_text: string, _values?: readonly unknown[]) => applied)
    const { release, pool: connections } = pool(query)
    const check = postgresCheck({ pool: connections, migrations })
    await expect(check(never)).rejects.toMatchObject({
      reason: 'migrations',
      message: 'migrations not applied: 20261122204602-orders',
    })
    expect(query.mock.calls).toEqual([[expect.stringContaining('schema_migrations')]])
    applied = names('20261122204602-orders', '20261122204600-updated-at', '20261123000000-of-a-newer-build')
    expect(await outcome(check(never))).toBe('ok')
    // The database was restored from an older copy.
    applied = names()
    expect(await outcome(check(never))).toBe('migrations')
    expect(release.mock.calls).toEqual([[false], [false], [false]])
  })

  test('reports the migrations that this build does not contain, and again when they change', async () => {
    let applied = names('1')
    const onUnknown = jest.fn()
    const check = postgresCheck({ ...pool(async () => applied), migrations: ['1'], onUnknown })
    for (const now of [['1'], ['1', '3', '2'], ['2', '3', '1'], ['1'], ['1', '2']]) {
      applied = names(...now)
      await check(never)
    }
    expect(onUnknown.mock.calls).toEqual([[['2', '3']], [['2']]])
  })

  test.each([
    ['42P01', 'migrations'],
    ['42501', 'unauthorized'],
    ['XX000', 'error'],
  ])('a table of migrations that cannot be read with SQLSTATE %s is %s', async (code, expected) => {
    const unreadable = pool(() => Promise.reject(Object.assign(new Error(), { code })))
    expect(await outcome(postgresCheck({ ...unreadable, migrations: ['20261122204600-updated-at'] })(never))).toBe(
      expected,
    )
  })
})
