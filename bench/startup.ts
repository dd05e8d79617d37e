/*
 * From spawn to the first 200 on /health/live, in pairs: each round starts every program once, in
 * turn, so that a machine that gets slower gets slower for all. Ratios are within a round.
 */
import { spawn } from 'node:child_process'
import { get } from 'node:http'
import { freePort } from '../scripts/services/service.ts'

interface Program {
  readonly command: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
}

const BARE = "require('node:http').createServer((_, res) => res.end('ok')).listen(process.env.PORT, '127.0.0.1')"
/** Nobody listens there: what is measured is the service with its drivers, and not the servers. */
const STORES = { DATABASE_URL: 'postgres://127.0.0.1:1/none', REDIS_URL: 'redis://127.0.0.1:1' }

const PROGRAMS = {
  bare: { command: [process.execPath, '-e', BARE] },
  executable: { command: ['dist/app'] },
  bundle: { command: [process.execPath, 'dist/server.cjs'] },
  unbundled: { command: [process.execPath, 'src/main.ts'] },
  'executable with stores': { command: ['dist/app'], env: STORES },
} as const satisfies Record<string, Program>
type Name = keyof typeof PROGRAMS
const names = Object.keys(PROGRAMS) as Name[]

const BUDGETS: readonly { of: Name; to: Name; atMost: number }[] = [
  { of: 'executable', to: 'bare', atMost: 2.5 },
  { of: 'executable', to: 'unbundled', atMost: 1 },
]

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/health/live', agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode === 200))
    }).once('error', () => resolve(false))
  })
}

/** In milliseconds. */
async function timeToFirstAnswer({ command: [file, ...args], env }: Program): Promise<number> {
  const port = await freePort()
  const startedAt = performance.now()
  const child = spawn(file, args, {
    env: { ...process.env, ...env, HOST: '127.0.0.1', PORT: String(port) },
    stdio: 'ignore',
  })
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 1))
  const elapsed = performance.now() - startedAt
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
  return elapsed
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const rounds: Record<Name, number>[] = []
for (let round = -1; round < 20; round++) {
  const times = {} as Record<Name, number>
  for (const name of names) times[name] = await timeToFirstAnswer(PROGRAMS[name])
  // The first round fills the caches of the file system.
  if (round >= 0) rounds.push(times)
}
const ratio = (of: Name, to: Name) => median(rounds.map((times) => times[of] / times[to]))

console.log(`from spawn to the first answer, medians of ${rounds.length} rounds, node ${process.version}`)
for (const name of names) {
  const ms = median(rounds.map((times) => times[name])).toFixed(0)
  console.log(`  ${name.padEnd(24)} ${ms.padStart(4)} ms   ${ratio(name, 'bare').toFixed(2)} × bare`)
}
for (const { of, to, atMost } of BUDGETS) {
  const holds = ratio(of, to) <= atMost
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${of} is ${ratio(of, to).toFixed(2)} × ${to}, at most ${atMost}`)
  if (!holds) process.exitCode = 1
}
