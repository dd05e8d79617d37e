/*
 * From spawn to the first 200 on /health/live, in pairs: each round starts every program once, in
 * turn, so that a machine that gets slower gets slower for all. Ratios are within a round.
 */
import { spawn } from 'node:child_process'
import { get } from 'node:http'
import { freePort } from '../scripts/services/service.ts'

const BARE = `require('node:http').createServer((req, res) => res.end('ok')).listen(process.env.PORT, '127.0.0.1')`

const programs = {
  bare: [process.execPath, '-e', BARE],
  executable: ['dist/app'],
  bundle: [process.execPath, 'dist/server.cjs'],
  unbundled: [process.execPath, 'src/main.ts'],
} as const
/** Nobody listens there: what is measured is the service, with its drivers, and not the servers. */
const STORES = process.argv.includes('--stores')
  ? { DATABASE_URL: 'postgres://127.0.0.1:1/x', REDIS_URL: 'redis://127.0.0.1:1' }
  : {}

type Name = keyof typeof programs

/** What must hold: the executable against the bare script, and against the same program unbundled. */
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

async function timeToFirstAnswer([command, ...args]: readonly [string, ...string[]]): Promise<number> {
  const port = await freePort()
  const env = { ...process.env, ...STORES, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port) }
  const startedAt = performance.now()
  const child = spawn(command, args, { env, stdio: 'ignore' })
  while (!(await answers(port))) await new Promise((resolve) => setTimeout(resolve, 1))
  const elapsed = performance.now() - startedAt
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.kill('SIGKILL')
  await closed
  return elapsed
}

const median = (values: readonly number[]) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const rounds: Record<Name, number>[] = []
for (let round = -1; round < 20; round++) {
  const times = {} as Record<Name, number>
  for (const name of Object.keys(programs) as Name[]) times[name] = await timeToFirstAnswer(programs[name])
  // The first round fills the caches of the file system.
  if (round >= 0) rounds.push(times)
}

console.log(`from spawn to the first answer, medians of ${rounds.length} rounds, node ${process.version}`)
for (const name of Object.keys(programs) as Name[]) {
  const ratio = median(rounds.map((times) => times[name] / times.bare))
  console.log(
    `  ${name.padEnd(12)} ${median(rounds.map((times) => times[name]))
      .toFixed(0)
      .padStart(5)} ms  ${ratio.toFixed(2)} × bare`,
  )
}
for (const { of, to, atMost } of BUDGETS) {
  const ratio = median(rounds.map((times) => times[of] / times[to]))
  const holds = ratio <= atMost
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${of} is ${ratio.toFixed(2)} × ${to}, at most ${atMost}`)
  if (!holds) process.exitCode = 1
}
