import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer } from 'node:net'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, test } from '@jest/globals'
import { killApps, runApp, startApp } from './support/app.ts'
import { listen } from './support/listen.ts'
import { temporaryDirectory } from './support/temporary.ts'
import { WRONG } from './support/wrong-environment.ts'

afterEach(killApps)

describe.each(['executable', 'bundle'] as const)('the %s', (artifact) => {
  test('prints its name, version, commit and Node', async () => {
    const { code, stdout } = await runApp(['version'], { artifact })
    expect(code).toBe(0)
    const [name, ...rest] = stdout.split(' ')
    expect(name).toBe('my-service')
    expect(rest.join(' ')).toMatch(/^\d+\.\d+\.\d+ \(commit \S+, \S+, node v\d+/)
  })

  test('serves /ping and the probes from an empty directory', async () => {
    const app = await startApp({ artifact, env: { SERVICE_NAME: 'orders' } })
    const json = async (path: string) => (await fetch(app.url + path)).json()
    expect(await json('/ping')).toEqual({ message: 'pong' })
    expect(await json('/health')).toMatchObject({ status: 'ok', service: 'orders', checks: {} })
    for (const path of ['/health/live', '/health/ready', '/health/startup'])
      expect(await json(path)).toEqual({ status: 'ok' })
    app.signal('SIGINT')
    expect(await app.ended).toEqual({ code: 0, signal: null })
  })
})

describe('usage', () => {
  test.each([[['nonsense']], [['serve', 'now']], [['--port=1']], [['constructor']]])(
    '%j prints the usage and exits with 64',
    async (args) => {
      const { code, stdout, stderr } = await runApp(args)
      expect(code).toBe(64)
      expect(stdout).toBe('')
      expect(stderr).toMatch(
        /usage: app \[serve \| migrate \| healthcheck \| config \| version[\w |]*\]\n\n {2}serve {8}serve requests/,
      )
    },
  )

  test('--help prints the usage to standard output and exits with 0', async () => {
    expect(await runApp(['--help'])).toMatchObject({
      code: 0,
      stderr: '',
      stdout: expect.stringContaining('usage: app'),
    })
  })
})

describe('configuration', () => {
  test('twenty invalid values give one message without a secret and exit code 78', async () => {
    for (const args of [[], ['migrate'], ['config']]) {
      const { code, stdout, stderr } = await runApp(args, { env: WRONG })
      expect(code).toBe(78)
      expect(stdout).toBe('')
      expect(stderr).toMatch(/^invalid configuration, 20 problems:\n/)
      for (const name of Object.keys(WRONG)) expect(stderr).toContain(`  ${name}: got `)
      expect(stderr).not.toContain('hunter2')
    }
  })

  test('two sockets of systemd are an invalid configuration', async () => {
    const program = ['/bin/sh', '-c', 'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0"', resolve('dist/app')]
    expect(await runApp([], { program })).toEqual({
      code: 78,
      stdout: '',
      stderr:
        'invalid configuration, 1 problem:\n  LISTEN_FDS: systemd passed 2 sockets, but the service listens on one\n',
    })
  })

  test('app config prints the effective values without a secret', async () => {
    const env = { PORT: '9000', DATABASE_URL: 'postgres://app:hunter2@db:5432/app' }
    const { code, stdout } = await runApp(['config'], { env })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      PORT: 9000,
      DATABASE_URL: 'postgres://***@db:5432/app',
      LOG_LEVEL: 'info',
    })
    expect(stdout).not.toContain('hunter2')
  })

  test('app config prints the number of connections that PostgreSQL must allow, if a database is configured', async () => {
    const env = { DATABASE_URL: 'postgres://app:hunter2@db:5432/app', DATABASE_POOL_MAX: '20' }
    const { stderr } = await runApp(['config'], { env })
    expect(stderr).toContain('PostgreSQL connections: 21 for each instance (20 of DATABASE_POOL_MAX, 1 of the health')
    expect(stderr).toContain('instances × 21')
    expect(await runApp(['config'])).toMatchObject({ code: 0, stderr: '' })
  })
})

describe('listening', () => {
  test('a taken port gives a clear message and exit code 1', async () => {
    const { port, stop } = await listen(createTcpServer())
    const { code, stdout } = await runApp([], { env: { HOST: '127.0.0.1', PORT: String(port) } })
    await stop()
    expect(code).toBe(1)
    expect(stdout).toContain(`port ${port} on 127.0.0.1 is taken: stop the other process, or set PORT`)
  })

  test('a host name is resolved, and the message about a taken port contains the name', async () => {
    const app = await startApp({ env: { HOST: 'localhost' } })
    expect((await fetch(`http://localhost:${app.port}/ping`)).status).toBe(200)
    const second = await runApp([], { env: { HOST: 'localhost', PORT: String(app.port) } })
    expect(second.code).toBe(1)
    expect(second.stdout).toContain(`port ${app.port} on localhost is taken`)
  })

  test('an address of another machine gives a clear message and exit code 1', async () => {
    const { code, stdout } = await runApp([], { env: { HOST: '192.0.2.1', PORT: '0' } })
    expect(code).toBe(1)
    expect(stdout).toContain('192.0.2.1 is not an address of this machine: set HOST')
  })
})

describe('healthcheck', () => {
  test('exits with 0 while the service is ready', async () => {
    const app = await startApp({ env: { HOST: '0.0.0.0' } })
    const env = { PORT: String(app.port) }
    expect(await runApp(['healthcheck'], { env })).toMatchObject({ code: 0, stdout: '{"status":"ok"}\n' })
    // The running service keeps its values, so an invalid configuration here does not make it unhealthy.
    const broken = { ...env, SETTINGS_FILE: '/nowhere', DATABASE_URL_FILE: '/nowhere' }
    expect(await runApp(['healthcheck'], { env: broken })).toMatchObject({ code: 0 })
  })

  test('exits with 1 while the service is not ready, without a service, and with an invalid port', async () => {
    const app = await startApp({ env: { REDIS_URL: 'redis://127.0.0.1:1' } })
    const env = { PORT: String(app.port) }
    expect(await runApp(['healthcheck'], { env })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('dependency'),
    })
    expect(await runApp(['healthcheck'], { env: { PORT: '1' } })).toMatchObject({ code: 1 })
    expect(await runApp(['healthcheck'], { env: { PORT: 'x' } })).toMatchObject({ code: 1 })
  })

  test('with --live, exits with 0 while the service responds, also when it is not ready', async () => {
    const app = await startApp({ env: { REDIS_URL: 'redis://127.0.0.1:1' } })
    const env = { PORT: String(app.port) }
    expect(await runApp(['healthcheck'], { env })).toMatchObject({ code: 1 })
    expect(await runApp(['healthcheck', '--live'], { env })).toMatchObject({ code: 0, stdout: '{"status":"ok"}\n' })
    expect(await runApp(['healthcheck', '--live'], { env: { PORT: '1' } })).toMatchObject({ code: 1 })
    expect(await runApp(['healthcheck', '--alive'], { env })).toMatchObject({
      code: 64,
      stderr: expect.stringContaining('healthcheck takes only --live'),
    })
  })

  test('exits with 1 when the service does not respond in time', async () => {
    const silent = await listen(createServer(() => {}))
    const result = await runApp(['healthcheck'], { env: { PORT: String(silent.port) } })
    await silent.stop()
    expect(result).toMatchObject({ code: 1, stderr: 'no response within 2000 ms\n' })
  })
})

test('a command whose promise never settles exits with 1', async () => {
  // Node loads this file before the artifact.
  const silence = join(temporaryDirectory('silence'), 'silence.cjs')
  writeFileSync(silence, `require('node:http').get = () => new (require('node:events'))()`)
  expect(await runApp(['healthcheck'], { nodeOptions: `--require ${silence}` })).toEqual({
    code: 1,
    stdout: '',
    stderr: 'the command ended without a result\n',
  })
})
