import { createServer } from 'node:http'
import { expect, test } from '@jest/globals'
import { listen } from '../../test/support/listen.ts'
import { run } from '../../test/support/run.ts'

const capacity = (env: Readonly<Record<string, string>>) =>
  run(process.execPath, ['load/capacity/main.ts'], { env: { TARGET: '300', SLO: 'p99<250ms', ...env } })

/** Time between two responses of the system, in milliseconds: 30 requests a second. */
const GAP_MS = 1_000 / 30

/** Starts a system that responds in turn, and has the metrics of an instance with 100 MiB. */
function startSystem() {
  let next = 0
  const server = createServer((request, response) => {
    if (request.url === '/metrics') {
      response.end(`process_resident_memory_bytes ${100 * 1024 ** 2}\n`)
      return
    }
    const now = performance.now()
    next = Math.max(next, now) + GAP_MS
    setTimeout(() => response.end('{}'), next - now)
  })
  return listen(server)
}

test('the command finds the knee of a running system, and sizes it with its metrics', async () => {
  await using system = await startSystem()
  const env = { URL: system.url, METRICS: `${system.url}/metrics`, QUICK: '1', ZONES: '1' }
  const { code, stdout } = await capacity(env)
  expect(code).toBe(0)
  const [, knee, low] = /^\| 1 \| (\d+) \| (\d+) to /m.exec(stdout)?.map(Number) ?? []
  expect(low).toBeLessThanOrEqual(33)
  expect(knee).toBeGreaterThan(0)
  expect(knee).toBeLessThan(34)
  // 130 MiB are 9 × 16 MiB.
  expect(stdout).toContain('- Memory: request 144 MiB, limit 288 MiB (100 MiB measured).')
  expect(stdout).toContain('the processes of the system are not visible')
  expect(stdout).toContain(` URL=${system.url}\``)
}, 300_000)

test('wrong variables end the command with 64 and every problem', async () => {
  const { code, stderr } = await capacity({ SLO: 'fast', TARGET: '', ZONES: '0' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^TARGET: .*\nSLO: «fast» .*\nZONES: .*\nmake capacity TARGET=5000 /)
})

test('an unknown scenario ends the command with 64 and the names of the scenarios', async () => {
  const { code, stderr } = await capacity({ SCENARIO: 'none' })
  expect(code).toBe(64)
  expect(stderr).toMatch(/^SCENARIO: unknown scenario none: expected .*ping/)
})
