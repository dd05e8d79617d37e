import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from '@jest/globals'
import { killApps, startApp } from './support/app.ts'
import { startIssuer } from './support/issuer.ts'
import { run, succeed } from './support/run.ts'
import { temporaryDirectory } from './support/temporary.ts'

const RULES = 'test/openapi-rules'

/** Installs the linters that the lock file pins by hash, once for each lock file, and returns their folder. */
async function installLinters(): Promise<string> {
  const lock = readFileSync(join(RULES, 'package-lock.json'))
  const key = createHash('sha256').update(lock).digest('hex').slice(0, 16)
  const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'openapi-rules', key)
  const complete = join(cache, 'complete')
  if (existsSync(complete)) return cache
  mkdirSync(cache, { recursive: true })
  for (const file of ['package.json', 'package-lock.json']) copyFileSync(join(RULES, file), join(cache, file))
  await succeed('npm', ['ci', '--prefix', cache, '--ignore-scripts', '--no-audit', '--no-fund'])
  writeFileSync(complete, '')
  return cache
}

const linters = await installLinters().catch((error: Error) => {
  if (process.env['CI'] === 'true') throw error
  process.stderr.write(
    `SKIPPED: the rules for the OpenAPI document. The linters cannot be installed:\n${error.message}\n`,
  )
  return undefined
})
const testWithLinters = linters === undefined ? test.skip : test

afterEach(killApps)

interface Findings {
  readonly redocly: readonly string[]
  readonly spectral: readonly string[]
}

interface Linted {
  readonly env?: Readonly<Record<string, string>>
  readonly token?: string
}

/** Returns what both linters find in the document of the artifact with the example resource. */
async function lintDocument({ env, token }: Linted): Promise<Findings> {
  const app = await startApp({ env: { DATABASE_URL: 'postgres://127.0.0.1:1/none', ...env } })
  const headers = { ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  const response = await fetch(`${app.url}/openapi.json`, { headers })
  expect(response.status).toBe(200)

  const directory = temporaryDirectory('openapi-rules')
  symlinkSync(join(String(linters), 'node_modules'), join(directory, 'node_modules'))
  for (const file of ['redocly.yaml', 'spectral.yaml']) copyFileSync(join(RULES, file), join(directory, file))
  writeFileSync(join(directory, 'openapi.json'), await response.text())

  async function runLinter(name: string, args: readonly string[]) {
    const program = join('node_modules', '.bin', name)
    const options = { cwd: directory, env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } }
    const { stdout, stderr } = await run(process.execPath, [program, 'lint', 'openapi.json', ...args], options)
    expect([name, stdout.trim(), stderr]).not.toEqual([name, '', expect.anything()])
    return JSON.parse(stdout)
  }
  const { problems } = await runLinter('redocly', ['--config', 'redocly.yaml', '--format', 'json'])
  const findings = await runLinter('spectral', ['--ruleset', 'spectral.yaml', '--format', 'json', '--quiet'])
  return {
    redocly: problems.map(({ ruleId, location }: Problem) => `${ruleId} ${location[0]?.pointer}`),
    spectral: findings.map(({ code, path }: Finding) => `${code} ${path.join(' ')}`),
  }
}

interface Problem {
  readonly ruleId: string
  readonly location: readonly { readonly pointer?: string }[]
}

interface Finding {
  readonly code: string
  readonly path: readonly (string | number)[]
}

testWithLinters('the document of a service with authentication and sessions follows every rule', async () => {
  const issuer = await startIssuer()
  const stores = { REDIS_URL: 'redis://127.0.0.1:1', SESSION_SECRET: 'a-secret-of-the-sessions-0123456789' }
  try {
    const findings = await lintDocument({ env: { ...issuer.env, ...stores }, token: await issuer.token() })
    expect(findings).toEqual({ redocly: [], spectral: [] })
  } finally {
    issuer.close()
  }
})

testWithLinters('without authentication, the only findings are the operations that anybody may use', async () => {
  const { redocly, spectral } = await lintDocument({})
  expect(redocly).toEqual([])
  const rules = new Set(spectral.map((finding) => finding.split(' ')[0]))
  expect([...rules].sort()).toEqual(['owasp:api2:2023-read-restricted', 'owasp:api2:2023-write-restricted'])
})
