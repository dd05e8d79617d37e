import { execFileSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import { basename, dirname, join } from 'node:path'
import { expect, test } from '@jest/globals'
import { listen } from '../../test/support/listen.ts'
import { run } from '../../test/support/run.ts'
import { temporaryDirectory } from '../../test/support/temporary.ts'

/** Starts a system that responds to every request with this status, and with metrics at /metrics. */
async function startSystem(status: number, tls?: { readonly key: Buffer; readonly cert: Buffer }) {
  const respond: RequestListener = (request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(status).end()
    response.end('overload_brownout 0\noverload_refused_requests_total{priority="normal",reason="limit"} 7\n')
  }
  const system = await listen(tls ? createSecureServer(tls, respond) : createServer(respond))
  return tls ? { ...system, url: system.url.replace('http:', 'https:') } : system
}

/** A scenario whose limits hold on a busy machine. */
const scenario = join(temporaryDirectory('scenario'), 'patient.json')
const patient = {
  title: 'Patient',
  operations: [{ name: 'ping', weight: 1, path: '/ping' }],
  steps: [{ rate: 20, durationS: 0.5 }],
  limits: { upTo: 500, p99Ms: 5_000 },
}
writeFileSync(scenario, JSON.stringify(patient))

const load = (env: Readonly<Record<string, string>>) => run(process.execPath, ['load/main.ts'], { env })

test('make load with URL measures a running system, reads its metrics and exits with 0 within the limits', async () => {
  await using system = await startSystem(200)
  const { code, stdout, stderr } = await load({
    ...{ SCENARIO: scenario, STEPS: '20,40', DURATION_S: '0.5', URL: system.url, METRICS: `${system.url}/metrics` },
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('measuring: 40/s for 0.5 s') })
  expect(stdout).toMatch(/\| 20 .*\n\| 40 /)
  expect(stdout).toContain('0 refused')
  expect(stdout).toContain('The limits hold up to 500/s.')
  expect(stdout).toBe(`${readFileSync('load/report.md', 'utf8')}\n`)
  expect(readFileSync('load/report.svg', 'utf8')).toContain('Patient: latency')
})

test('make load measures a system behind https', async () => {
  const [key, cert] = ['key', 'cert'].map((name) => join(dirname(scenario), `${name}.pem`)) as [string, string]
  const subject = ['-subj', '/CN=test', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', key, '-out', cert]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...subject, ...files], { stdio: 'ignore' })
  await using system = await startSystem(200, { key: readFileSync(key), cert: readFileSync(cert) })
  const { code, stdout } = await load({ SCENARIO: scenario, URL: system.url, NODE_EXTRA_CA_CERTS: cert })
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/\| 20 +\| 20 +\| 20 +\| – /) })
})

test('make load exits with 1 when a limit of the scenario is broken', async () => {
  await using system = await startSystem(503)
  const { code, stdout } = await load({ SCENARIO: 'ping', RATE: '20', DURATION_S: '0.5', URL: system.url })
  expect(code).toBe(1)
  expect(stdout).toContain('BROKEN: 20/s: 100 % errors, expected at most 0 %')
  expect(stdout).toContain('503: 10')
})

test('make load rejects invalid variables with every problem and exit code 64', async () => {
  const { code, stderr } = await load({ SCENARIO: 'ping', STEPS: '20,fast', INSTANCES: '0', DATABASE_POOL_MAX: 'x' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^STEPS: .*\nINSTANCES: .*\nDATABASE_POOL_MAX: .*\nmake load \[SCENARIO=ping /)
})

test.each(globSync('load/scenarios/*.json').map((file) => basename(file, '.json')))(
  'the scenario %s passes the full link without errors',
  async (name) => {
    const { stdout, stderr } = await load({ SCENARIO: name, RATE: '20', DURATION_S: '2' })
    expect({ stdout, stderr }).toMatchObject({ stdout: expect.stringMatching(/\| 20 +\| \d+ +\| \d+ +\| – +\|/) })
    expect(stdout).toMatch(/service 1 0\.\d+/)
    expect(stdout).toMatch(/\d of \d+\.\d used/)
  },
  60_000,
)
