import { execFileSync } from 'node:child_process'
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import { killApps, runApp, startApp } from './support/app.ts'
import { temporaryDirectory } from './support/temporary.ts'

/*
 * Builds a service whose handler throws, and reads the stack traces that it logs.
 */

jest.setTimeout(180_000)

afterEach(killApps)

const directory = temporaryDirectory('stack-traces')
const path = (file: string) => join(directory, file)
const bundle = path('dist/server.cjs')

const HANDLER = `import { operation } from '#pkg/operation/index.ts'

function throwIt(message: string): never {
  throw new Error(message)
}

export function ping() {
  return operation({
    id: 'ping',
    summary: 'Fails',
    public: true,
    responses: { 204: { description: 'No failure' } },
    handler: function ping(req, res) {
      if (req.headers['x-fail'] === 'request') throwIt('a request')
      if (req.headers['x-fail'] === 'process') setImmediate(() => throwIt('the process'))
      res.status(204).end()
    },
  })
}
`
const EARLY = "if (process.env['FAIL_EARLY']) throw new Error('before the log')"

/** Returns `file:line` of the only line with this text. */
function locate(file: string, text: string): string {
  const lines = readFileSync(path(file), 'utf8').split('\n')
  const found = lines.flatMap((line, index) => (line.includes(text) ? [index + 1] : []))
  expect(found).toHaveLength(1)
  return `${file}:${found[0]}`
}

beforeAll(() => {
  for (const part of ['src', 'config', 'internal', 'pkg', 'scripts', 'package.json', 'tsconfig.json'])
    cpSync(part, path(part), { recursive: true })
  symlinkSync(resolve('node_modules'), path('node_modules'))
  mkdirSync(path('dist'))
  writeFileSync(path('internal/handler/ping.ts'), HANDLER)
  writeFileSync(path('src/main.ts'), readFileSync('src/main.ts', 'utf8').replace('\nconst args = ', `\n${EARLY}$&`))
  for (const artifact of ['bundle', 'executable'])
    execFileSync(process.execPath, ['scripts/build.ts', artifact], { cwd: directory, stdio: 'pipe' })
})

const env = { DRAIN_DELAY_MS: '0' }

/** Sends a request that fails. Returns the logged stack trace. */
async function failRequest(program: readonly string[]): Promise<string> {
  const app = await startApp({ program, env })
  const response = await fetch(`${app.url}/ping`, { headers: { 'x-fail': 'request' } })
  expect(response.status).toBe(500)
  expect(await response.text()).not.toContain('ping.ts')
  const line = await app.line({ 'error.message': 'a request' })
  app.signal('SIGTERM')
  await app.ended
  return String(line['error.stack_trace'])
}

describe.each([
  ['executable', [path('dist/app')]],
  ['bundle', [process.execPath, bundle]],
])('the %s', (_artifact, program) => {
  test('logs the TypeScript file and line of an error in a handler, and the files of packages', async () => {
    const frames = (await failRequest(program)).split('\n').slice(1)
    const [thrown = '', called = '', ...callers] = frames
    expect(thrown).toMatch(/^ {4}at throwIt \(/)
    expect(thrown).toContain(`(${locate('internal/handler/ping.ts', 'throw new Error')}:`)
    expect(called).toContain(`(${locate('internal/handler/ping.ts', "throwIt('a request')")}:`)
    expect(callers.join()).toMatch(/\([^ ]*node_modules\/router\/index\.js:\d+:\d+\)/)
    expect(frames.join()).not.toContain('server.cjs')
  })

  test('logs the TypeScript file and line of an uncaught error', async () => {
    const app = await startApp({ program, env })
    await fetch(`${app.url}/ping`, { headers: { 'x-fail': 'process' } })
    const { 'error.stack_trace': stack } = await app.line({ 'error.message': 'the process' })
    expect(stack).toContain(`at throwIt (${locate('internal/handler/ping.ts', 'throw new Error')}:`)
    expect(stack).toContain(`(${locate('internal/handler/ping.ts', "throwIt('the process')")}:`)
    expect(await app.ended).toEqual({ code: 1, signal: null })
  })

  test('prints the TypeScript file and line of an error before the first log line', async () => {
    const { code, stderr } = await runApp(['version'], { program, env: { FAIL_EARLY: '1' } })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^Error: before the log$/m)
    expect(stderr).toContain(`${locate('src/main.ts', EARLY)}:`)
  })
})

describe('the bundle', () => {
  const plain = /at throwIt \(.*server\.cjs:\d+:\d+\)/

  /** Copies the bundle to a directory without its map. */
  function copyBundle(name: string): string {
    mkdirSync(path(name))
    const copy = path(`${name}/server.cjs`)
    copyFileSync(bundle, copy)
    return copy
  }

  test('serves without its map, and logs plain positions', async () => {
    expect(await failRequest([process.execPath, copyBundle('without-map')])).toMatch(plain)
  })

  test('logs plain positions with a map that is damaged, empty or of another build', async () => {
    const copy = copyBundle('hostile-map')
    const map = readFileSync(`${bundle}.map`, 'utf8')
    const { x_bytes } = JSON.parse(map)
    expect(x_bytes).toBe(readFileSync(bundle).length)
    for (const content of [
      '',
      'null',
      map.slice(0, -100),
      map.replace('"mappings":"', '"mappings":"?'),
      map.replace(`"x_bytes":${x_bytes}`, `"x_bytes":${x_bytes + 1}`),
    ]) {
      writeFileSync(`${copy}.map`, content)
      expect(await failRequest([process.execPath, copy])).toMatch(plain)
    }
  })

  test('does not read its map before an error occurs', async () => {
    const copy = copyBundle('unread-map')
    // Reading a named pipe without a writer never ends.
    execFileSync('mkfifo', [`${copy}.map`])
    const app = await startApp({ program: [process.execPath, copy], env })
    expect((await fetch(`${app.url}/ping`)).status).toBe(204)
    expect((await fetch(`${app.url}/unknown`)).status).toBe(404)
    app.signal('SIGTERM')
    expect(await app.ended).toEqual({ code: 0, signal: null })
    rmSync(`${copy}.map`)
  })
})
