import { cpSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals'
import { killApps, startApp } from './support/app.ts'
import { installPackages } from './support/install.ts'
import { type Issuer, startIssuer } from './support/issuer.ts'
import { run } from './support/run.ts'
import { freePort } from './support/services.ts'
import { temporaryDirectory } from './support/temporary.ts'

/* Third-party linters check the document of the artifact. Their rules and the exceptions are in test/openapi-rules/. */
const RULES = join(import.meta.dirname, 'openapi-rules')
// The first run downloads the linters.
jest.setTimeout(300_000)

let packages: string | undefined
try {
  packages = await installPackages(RULES, 'openapi-rules')
} catch (error) {
  if (process.env['CI'] === 'true') throw error
  process.stderr.write(`THE RULES FOR /openapi.json WERE NOT TESTED. Their linters cannot be installed:\n${error}\n`)
}
const testWithLinters = packages === undefined ? test.skip : test

const directory = temporaryDirectory('openapi-rules')
let issuer: Issuer
beforeAll(async () => {
  issuer = await startIssuer()
  cpSync(RULES, directory, { recursive: true })
  if (packages) symlinkSync(packages, join(directory, 'node_modules'))
})
afterAll(() => issuer.close())
afterEach(killApps)

/** Writes the document of a service with authentication, sessions, every resource and every upstream. */
async function writeDocument(): Promise<void> {
  const app = await startApp({
    env: {
      ...issuer.env,
      SESSION_SECRET: 'x'.repeat(32),
      REDIS_URL: `redis://127.0.0.1:${await freePort()}`,
      DATABASE_URL: `postgres://127.0.0.1:${await freePort()}/none`,
      UPSTREAMS: 'payments=http://127.0.0.1:1',
      FEATURES: 'docs,version',
    },
  })
  const headers = { authorization: `Bearer ${await issuer.token()}` }
  const response = await fetch(`${app.url}/openapi.json`, { headers })
  expect(response.status).toBe(200)
  writeFileSync(join(directory, 'openapi.json'), await response.text())
}

const runLinter = (name: string, args: readonly string[]) => {
  const env = { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NODE_OPTIONS: '' }
  return run(process.execPath, [join(directory, 'node_modules/.bin', name), ...args], { cwd: directory, env })
}

testWithLinters('the document follows the recommended rules of Redocly', async () => {
  await writeDocument()
  const { stdout, stderr } = await runLinter('redocly', ['lint', 'openapi.json', '--format=json'])
  expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringContaining('"totals"') })
  const { problems } = JSON.parse(stdout)
  expect(problems).toEqual([])
})

testWithLinters("the document follows Spectral's rules for OpenAPI and for the OWASP API Security Top 10", async () => {
  await writeDocument()
  const args = ['lint', 'openapi.json', '--ruleset=spectral.yaml', '--format=json', '--fail-severity=hint', '--quiet']
  const { code, stdout, stderr } = await runLinter('spectral', args)
  expect({ code, stderr, problems: JSON.parse(stdout || '[]') }).toEqual({ code: 0, stderr: '', problems: [] })
})
