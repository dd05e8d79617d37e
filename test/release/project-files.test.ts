import { chmodSync, cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { installGoProgram, installPythonPackages } from '../support/install.ts'
import { run, succeed } from '../support/run.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { debianTool, needTools } from '../support/tools.ts'

const read = (file: string) => readFileSync(file, 'utf8')

/** Installs the pinned packages of the checks, without their dependencies. @returns their folder */
const installFromPypi = () => installPythonPackages('test/release/workflow-requirements.txt')

test('renovate.json matches the schema of Renovate', async () => {
  const schemas = join(await installFromPypi(), 'check_jsonschema/builtin_schemas/vendor')
  const schema = JSON.parse(read(join(schemas, 'renovate.json')))
  // The formats of Renovate's schema are not in the specification.
  const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema)
  const config = JSON.parse(read('.github/renovate.json'))
  expect([validate(config), validate.errors]).toEqual([true, null])
  expect(validate({ ...config, minimumReleaseAge: 3 })).toBe(false)
}, 300_000)

describe('the workflows', () => {
  test('run every target of .ci/run: a release waits for them', () => {
    const targets = ['ci', 'nightly'].flatMap(
      (name): string[] => parse(read(`.github/workflows/${name}.yml`)).jobs.make.strategy.matrix.target,
    )
    const wanted = [...read('.ci/run').matchAll(/^make (.+)$/gm)].map(([, target]) => target)
    expect(wanted.length).toBeGreaterThan(0)
    expect(wanted.filter((target) => !targets.includes(target!))).toEqual([])
  })

  test('run the slow suites as root on Linux, because the tests of systemd and of a full disk need root', () => {
    const { steps } = parse(read('.github/workflows/nightly.yml')).jobs.make
    const run: unknown = expect.stringMatching(/^sudo env .*\bCI=true make \$\{\{ matrix\.target \}\}$/m)
    expect(steps).toContainEqual({ if: "runner.os == 'Linux'", run })
    expect(steps).toContainEqual({ if: "runner.os != 'Linux'", run: expect.stringMatching(/^make /) })
  })

  test('pass actionlint', async () => {
    await needTools(['go'], 'golang-go')
    const program = await installGoProgram('github.com/rhysd/actionlint/cmd/actionlint@v1.7.12')
    expect(await run(program, [])).toEqual({ code: 0, stdout: '', stderr: '' })
    const wrong = join(temporaryDirectory('workflow'), 'ci.yml')
    writeFileSync(wrong, read('.github/workflows/ci.yml').replace('runs-on:', 'runs_on:'))
    expect((await run(program, [wrong])).code).toBe(1)
  }, 300_000)

  test('pass zizmor, and pin each action by its commit', async () => {
    const directory = await installFromPypi()
    const zizmor = (path: string) => run(join(directory, 'bin/zizmor'), ['--offline', '--no-progress', path])
    expect(await zizmor('.github')).toMatchObject({ code: 0 })
    const unpinned = join(temporaryDirectory('workflow'), 'ci.yml')
    writeFileSync(unpinned, read('.github/workflows/ci.yml').replace(/checkout@[0-9a-f]{40}/, 'checkout@v7'))
    const found = await zizmor(unpinned)
    expect(found.code).not.toBe(0)
    expect(found.stdout).toContain('unpinned-uses')
  }, 300_000)
})

describe('compose.yaml', () => {
  const { services } = parse(read('compose.yaml'), { merge: true })

  test('matches the schema of Compose, with each profile', async () => {
    const compose = await debianTool('docker-compose', 'docker-compose')
    for (const profiles of [[], ['--profile', 'observe'], ['--profile', 'logs']]) {
      const { code, stderr } = await run(compose, ['-f', 'compose.yaml', ...profiles, 'config', '--quiet'])
      expect([profiles, code, stderr]).toEqual([profiles, 0, ''])
    }
    const wrong = join(temporaryDirectory('compose'), 'compose.yaml')
    writeFileSync(wrong, read('compose.yaml').replace('healthcheck:', 'healthchecks:'))
    expect((await run(compose, ['-f', wrong, 'config', '--quiet'])).code).not.toBe(0)
  }, 300_000)

  test('gives the service a valid configuration', async () => {
    const { code, stdout } = await run('dist/app', ['config'], {
      env: { ...services.app.environment, NODE_ENV: 'production' },
    })
    expect([code, stdout]).toEqual([0, expect.stringContaining('"postgres://***@postgres:5432/service"')])
  })

  test('publishes every port on the loopback address only', () => {
    const ports = Object.values<{ ports?: string[] }>(services).flatMap(({ ports = [] }) => ports)
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([])
  })

  test('mounts existing files', () => {
    const volumes = Object.values<{ volumes?: string[] }>(services).flatMap(({ volumes = [] }) => volumes)
    const mounted = volumes.filter((volume) => volume.startsWith('./')).map((volume) => volume.split(':')[0] ?? '')
    expect(mounted.filter((path) => !existsSync(path))).toEqual([])
  })

  test('starts Filebeat with a configuration that reads the containers and writes to the broker', async () => {
    const [script = ''] = services.filebeat.command
    const target = join(temporaryDirectory('filebeat'), 'filebeat.yml')
    const edit = script
      .replaceAll('$$', '$')
      .replace(/^exec .*$/m, '')
      .replace('/etc/service/filebeat.yml', 'deploy/logging/filebeat.yml')
      .replace('/tmp/filebeat.yml', target)
    await succeed('bash', ['-ec', edit])
    const { 'filebeat.inputs': inputs, 'output.kafka': output } = parse(read(target))
    expect(inputs[0].paths).toEqual(['/var/lib/docker/containers/*/*-json.log'])
    expect(inputs[0].parsers.map((parser: object) => Object.keys(parser)[0])).toEqual(['container', 'ndjson'])
    expect(output.hosts).toEqual(['kafka:9092'])
    expect(services.logstash.environment.KAFKA_SERVERS).toBe('kafka:9092')
  })

  test('installs the policy and the template as the page of the pipeline does', () => {
    const [script = ''] = services['log-streams'].command
    const page = read('deploy/logging/README.md')
    const steps = [...page.matchAll(/^ *(put \/\S+ \S+)$/gm)].map(([, step]) => step)
    expect(steps).toHaveLength(2)
    for (const step of steps) expect(script).toContain(step)
    expect(script).toContain('kibana.ndjson')
  })
})

test('the Makefiles use no feature that is newer than GNU make 3.81, the version of macOS', () => {
  // From the news of GNU make 3.82 to 4.4.
  const newer =
    /^\.ONESHELL|^\.SHELLFLAGS|\$\((file|guile|let|intcmp) |:{2,3}=|!=|&:|^undefine |^load |\bprivate |\.SHELLSTATUS|--output-sync|\.EXTRA_PREREQS|\.WAIT\b|\.NOTINTERMEDIATE/m
  for (const file of ['Makefile', ...globSync(['*/*.mk', '{scripts,deploy,test}/*/*.mk'])]) {
    expect([file, newer.exec(read(file))?.[0]]).toEqual([file, undefined])
  }
})

describe('scripts/release.sh', () => {
  const root = temporaryDirectory('release')
  mkdirSync(join(root, 'scripts'))
  cpSync('scripts/release.sh', join(root, 'scripts/release.sh'))
  chmodSync(join(root, 'scripts/release.sh'), 0o755)
  writeFileSync(join(root, 'package.json'), '{\n  "name": "orders",\n  "version": "1.4.0"\n}\n')
  writeFileSync(
    join(root, 'CHANGELOG.md'),
    '# Changelog\n\n## Unreleased\n\n- later\n\n## 1.4.0 (2026-11-27)\n\n- a\n- b\n\n## 1.3.9\n\n- c\n\n## 1a4.0\n\n- d\n',
  )
  const release = (...args: string[]) => run('sh', ['scripts/release.sh', ...args], { cwd: root })

  test('accepts only the tag of the version in package.json', async () => {
    expect((await release('check', 'v1.4.0')).code).toBe(0)
    for (const tag of ['v1.4.1', '1.4.0', 'v1.4', 'v1.4.0-rc.1', 'v1.4.0;id', '']) {
      expect([tag, (await release('check', tag)).code]).toEqual([tag, 1])
    }
  })

  test('prints the section of the version', async () => {
    expect((await release('notes', 'v1.4.0')).stdout.trim()).toBe('- a\n- b')
    expect((await release('notes', 'v1.9.9')).stdout).toBe('')
  })

  test('gives an image its full, minor and major version, and no major version below 1', async () => {
    await succeed('git', ['init', '--quiet'], { cwd: root })
    expect((await release('tags', 'v1.4.0')).stdout).toBe('1.4.0\n1.4\n1\n')
    expect((await release('tags', 'v0.4.2')).stdout).toBe('0.4.2\n0.4\n')
  })

  test('keeps the minor and major version of a later image, whose tag the workflow fetches', async () => {
    const git = (...args: string[]) =>
      succeed('git', ['-c', 'user.name=t', '-c', 'user.email=t@localhost', ...args], { cwd: root })
    await git('init', '--quiet')
    await git('commit', '--quiet', '--allow-empty', '--message', 'first')
    for (const tag of ['v1.3.8', 'v1.3.9', 'v1.4.0', 'v1.10.0', 'v2.0.0-rc.1']) await git('tag', tag)
    expect((await release('tags', 'v1.3.8')).stdout).toBe('1.3.8\n')
    expect((await release('tags', 'v1.3.9')).stdout).toBe('1.3.9\n1.3\n')
    expect((await release('tags', 'v1.10.0')).stdout).toBe('1.10.0\n1.10\n1\n')
    const [checkout] = parse(read('.github/workflows/release.yml')).jobs.publish.steps
    expect(checkout.with['fetch-depth']).toBe(0)
  })
})
