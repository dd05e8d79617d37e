/*
 * These tests build the image with `make image` and run it like a strict cluster. BUILD_IMAGE and RUNTIME_IMAGE are its
 * bases. When they are unset, the tests build both bases on this machine and pull no image.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { succeed } from '../support/run.ts'
import { freePort, type TestService, testPostgres, testRedis, until } from '../support/services.ts'
import { localBaseImages } from './base-images.ts'
import {
  listImageFiles,
  missingContainerTools,
  readImageFile,
  replaceImage,
  runInContainer,
  startContainer,
} from './containers.ts'

const root = join(import.meta.dirname, '../..')
const scratch = join(tmpdir(), `release-test-${process.pid}`)
const image = 'localhost/release-test:latest'
const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
/** The name, version, commit, time and Node of `make build`. */
const built = execFileSync(join(root, 'dist/app'), ['version'], { encoding: 'utf8' })

const missing = await missingContainerTools()
const untested = `THE CONTAINER IMAGE WAS NOT TESTED.\n${missing}\n`
if (missing !== undefined && process.env['ALLOW_NO_IMAGE_TEST'] !== '1') {
  throw new Error(`${untested}Install the missing tools, or set ALLOW_NO_IMAGE_TEST=1 to skip these tests.`)
}
if (missing !== undefined) process.stderr.write(untested)

let postgres: TestService
let redis: TestService
let bases: { readonly build: string; readonly runtime: string }

/** Runs `make image` without namespaces and without a bridge, which some machines do not allow. */
const makeImage = (tag: string, options = '') =>
  replaceImage(tag, () =>
    succeed('make', ['image'], {
      cwd: root,
      env: {
        ENGINE: 'buildah',
        IMAGE: tag,
        BUILD_IMAGE: bases.build,
        RUNTIME_IMAGE: bases.runtime,
        // The bases of this machine have no digest of a registry.
        ALLOW_UNPINNED_BASE: '1',
        BUILD_OPTIONS: `--isolation chroot --network host ${options}`,
      },
    }),
  )

/** Starts the service on a free port and waits until it has started. */
async function serve(env: Readonly<Record<string, string>>, options: readonly string[] = []) {
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  const container = await startContainer({ image, options, env: { HOST: '127.0.0.1', PORT: String(port), ...env } })
  const get = (path: string) => fetch(`${base}${path}`)
  const status = (path: string) =>
    get(path).then(
      ({ status }) => status,
      () => undefined,
    )
  try {
    await until(async () => (await status('/health/startup')) === 200)
  } catch (cause) {
    const output = await container.output()
    await container[Symbol.asyncDispose]()
    throw new Error(`not started:\n${output}`, { cause })
  }
  return { ...container, get, status }
}

const stores = () => ({ DATABASE_URL: postgres.url, REDIS_URL: redis.url })

const suite = missing === undefined ? describe : describe.skip
suite('the image', () => {
  beforeAll(async () => {
    const { BUILD_IMAGE: build, RUNTIME_IMAGE: runtime } = process.env
    mkdirSync(scratch, { recursive: true })
    const servers = Promise.all([testPostgres(), testRedis({ password: 'of-the-release-test' })])
    bases = build && runtime ? { build, runtime } : await localBaseImages({ directory: join(scratch, 'bases') })
    // Without a name, the layers of the build stage would stay on the machine.
    await makeImage('localhost/release-test-stage:latest', '--target build')
    await makeImage(image)
    ;[postgres, redis] = await servers
  }, 600_000)

  afterAll(async () => {
    await postgres?.stop()
    await redis?.stop()
    rmSync(scratch, { recursive: true, force: true })
  })

  // The tests below need the migrations, because a service without them is not ready.
  test('migrates the database once', async () => {
    const migrate = () => runInContainer({ image, env: stores() }, 'migrate')
    await expect(migrate()).resolves.toMatchObject({ code: 0, stdout: expect.stringMatching(/^applied /) })
    await expect(migrate()).resolves.toMatchObject({ code: 0, stdout: expect.stringMatching(/nothing to apply/) })
  })

  test('serves with PostgreSQL and Redis, on a read-only root, without privileges', async () => {
    await using service = await serve(stores())
    await until(async () => (await service.status('/health/ready')) === 200)
    await expect((await service.get('/ping')).json()).resolves.toEqual({ message: 'pong' })
    const health = await service.get('/health')
    expect(health.status).toBe(200)
    await expect(health.json()).resolves.toMatchObject({
      status: 'ok',
      service: packageJson.name,
      version: packageJson.version,
      checks: { database: { status: 'ok', critical: true }, redis: { status: 'ok', critical: true } },
    })
  })

  test('runs as user and group 65532, as process 1, with no capability, on a read-only root', async () => {
    await using service = await serve({})
    const status = readFileSync(`/proc/${service.pid}/status`, 'utf8')
    const field = (name: string) => new RegExp(`^${name}:\\s+(.*)$`, 'm').exec(status)?.[1]?.split(/\s+/) ?? []
    const inside = (kind: 'uid' | 'gid', id: string | undefined) => {
      // Each line is a range: first id in the container, first id on the machine, length.
      const ranges = readFileSync(`/proc/${service.pid}/${kind}_map`, 'utf8').trim().split('\n')
      const offsets = ranges.map((range) => range.trim().split(/\s+/).map(Number))
      return offsets.flatMap(([first = 0, here = 0, count = 0]) => {
        const offset = Number(id) - here
        return offset >= 0 && offset < count ? first + offset : []
      })[0]
    }
    expect(field('Uid').map((id) => inside('uid', id))).toEqual([65_532, 65_532, 65_532, 65_532])
    expect(field('Gid').map((id) => inside('gid', id))).toEqual([65_532, 65_532, 65_532, 65_532])
    expect(field('NSpid').at(-1)).toBe('1')
    expect(field('CapEff')).toEqual(['0000000000000000'])
    expect(field('CapBnd')).toEqual(['0000000000000000'])
    expect(field('NoNewPrivs')).toEqual(['1'])
    expect(readFileSync(`/proc/${service.pid}/mountinfo`, 'utf8')).toMatch(/^\d+ \d+ \S+ \S+ \/ ro,/m)
  })

  test('reports by app healthcheck that the service is ready', async () => {
    await using service = await serve(stores())
    await until(async () => (await service.status('/health/ready')) === 200)
    await expect(service.exec('/app', 'healthcheck')).resolves.toMatchObject({ code: 0 })
    await expect(service.healthcheck()).resolves.toMatchObject({ code: 0 })
  })

  test('has a health check that passes when Redis is down, and fails when the process hangs', async () => {
    await using service = await serve({ ...stores(), REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    await until(async () => (await service.status('/health')) === 503)
    await expect(service.exec('/app', 'healthcheck')).resolves.toMatchObject({ code: 1 })
    await expect(service.healthcheck()).resolves.toMatchObject({ code: 0 })
    process.kill(service.pid, 'SIGSTOP')
    await expect(service.healthcheck()).resolves.toMatchObject({ code: 1 })
    process.kill(service.pid, 'SIGCONT')
  })

  test('drains when the engine stops it, and ends with 0', async () => {
    await using service = await serve({ ...stores(), DRAIN_DELAY_MS: '2000' })
    await until(async () => (await service.status('/health/ready')) === 200)
    const stopped = service.stop()
    await until(async () => (await service.status('/health/ready')) === 503)
    expect(await service.status('/ping')).toBe(200)
    await expect(stopped).resolves.toBe(0)
    const messages = (await service.output())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).message)
    expect(messages.filter((message) => message !== 'request').slice(-3)).toEqual(['signal', 'draining', 'stopped'])
  })

  test('reads a secret from a mounted file that only its user can read', async () => {
    const secret = join(scratch, 'database-url')
    writeFileSync(secret, `${postgres.url}\n`, { mode: 0o400 })
    // With U, the user of the container owns the file.
    const mount = `--volume=${secret}:/run/secrets/database-url:ro,U`
    await using service = await serve({ DATABASE_URL_FILE: '/run/secrets/database-url' }, [mount])
    await until(async () => (await service.status('/health/ready')) === 200)
    await expect((await service.get('/health')).json()).resolves.toMatchObject({
      checks: { database: { status: 'ok' } },
    })
  })

  test('prints its configuration without the secrets', async () => {
    const { code, stdout, stderr } = await runInContainer({ image, env: stores() }, 'config')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      NODE_ENV: 'production',
      DATABASE_URL: expect.stringContaining('***@127.0.0.1'),
      REDIS_URL: expect.stringContaining('***@127.0.0.1'),
    })
    for (const { url } of [postgres, redis]) expect(stdout + stderr).not.toContain(new URL(url).password)
  })

  test('prints every problem and ends with 78 when the configuration is invalid', async () => {
    const { code, stderr } = await runInContainer({ image, env: { PORT: '0x50', TRUST_PROXY: 'true' } })
    expect(code).toBe(78)
    expect(stderr).toMatch(/2 problems:\n {2}PORT: .*\n {2}TRUST_PROXY: /)
  })

  test('has the version, commit and time of the artifact outside the image', async () => {
    const { stdout } = await runInContainer({ image }, 'version')
    expect(stdout).toBe(built)
  })

  test('declares its user, its health check, its stop signal and its labels', async () => {
    const [{ Config: config, Healthcheck: healthcheck }] = JSON.parse(
      await succeed('podman', ['image', 'inspect', image]),
    )
    expect(config).toMatchObject({
      User: '65532:65532',
      Entrypoint: ['/app'],
      ExposedPorts: { '8080/tcp': {}, '9464/tcp': {} },
      StopSignal: 'SIGTERM',
      Labels: {
        'org.opencontainers.image.title': packageJson.name,
        'org.opencontainers.image.version': packageJson.version,
        'org.opencontainers.image.revision': /commit (.*?),/.exec(built)?.[1],
        'org.opencontainers.image.created': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        'org.opencontainers.image.source': expect.any(String),
        'org.opencontainers.image.licenses': packageJson.license,
      },
    })
    expect(healthcheck).toMatchObject({ Test: ['CMD', '/app', 'healthcheck', '--live'] })
    expect(config.Env).toContain('NODE_ENV=production')
  })

  test('adds only the executable, its licences and libatomic to the base', async () => {
    const [files, base] = await Promise.all([listImageFiles(image), listImageFiles(bases.runtime)])
    const given = new Set(base)
    expect(files.filter((path) => !given.has(path)).sort()).toEqual([
      'app',
      'licenses/THIRD_PARTY_LICENSES',
      'usr/lib/libatomic.so.1',
    ])
    expect(files.filter((path) => /(^|\/)(sh|bash|dash|busybox|node|npm|apt|curl)$|node_modules/.test(path))).toEqual(
      [],
    )
  })

  test('contains the licences of the packages and of Node', async () => {
    const licenses = await readImageFile(image, '/licenses/THIRD_PARTY_LICENSES')
    for (const name of Object.keys(packageJson.dependencies)) expect(licenses).toMatch(new RegExp(`^${name} \\d`, 'm'))
    expect(licenses).toContain('Node.js is licensed for use as follows')
  })

  test('is built from the sources alone, without tests, packages, history and environment files', async () => {
    const context = 'localhost/release-test-context:latest'
    const containerfile = join(scratch, 'Containerfile')
    writeFileSync(containerfile, 'FROM scratch\nCOPY . /\n')
    await replaceImage(context, () => succeed('buildah', ['build', '--tag', context, '--file', containerfile, root]))
    const paths = await listImageFiles(context)
    const allowed =
      /^(package(-lock)?\.json|\.npmrc|tsconfig\.json|scripts\/.*|(src|config|internal|pkg)\/(?!.*\.test\.ts).*\.ts)$/
    expect(paths).toContain('src/main.ts')
    expect(paths.filter((path) => !allowed.test(path))).toEqual([])
  })
})

test('the image is built with the Node of .nvmrc', () => {
  const version = readFileSync(join(root, '.nvmrc'), 'utf8').trim()
  expect(readFileSync(join(root, 'Dockerfile'), 'utf8')).toMatch(
    new RegExp(
      `^ARG BUILD_IMAGE=docker\\.io/library/node:${version.replaceAll('.', '\\.')}-bookworm-slim(@sha256:.*)?$`,
      'm',
    ),
  )
})
