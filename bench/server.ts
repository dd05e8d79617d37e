import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { endWithThisProcess, freePort } from '../scripts/services/service.ts'
import { succeed } from '../test/support/run.ts'
import { send } from '../test/support/send.ts'
import { onCpu } from './cpu.ts'
import type { Program } from './programs.ts'

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** Time from spawn to the first 200, in milliseconds. */
  readonly startedInMs: number
  /** Reads the resident set in MiB. */
  readResidentMb(): Promise<number>
}

export interface StartOptions {
  /** Pins the program to one core. @default all cores */
  readonly cpu?: number
  /** The path whose first 200 ends the start. @default '/ping' */
  readonly path?: string
}

/**
 * Starts a program in production mode, with its output in a file. Resolves after its first 200.
 *
 * @throws with the program's output when it ends before that, or when it takes more than ten seconds
 */
export async function startServer(
  { command, env }: Program,
  { cpu, path = '/ping' }: StartOptions = {},
): Promise<RunningServer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const logFile = join(directory, 'log')
  const log = openSync(logFile, 'w')
  const port = await freePort()
  const [file, ...args] = cpu === undefined ? command : onCpu(cpu, command)
  const startedAt = performance.now()
  const child = spawn(file, args, {
    // The environment of this shell may configure the service or Node, so it is not passed on.
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...env },
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const closed = once(child, 'close')
  async function stop(): Promise<void> {
    child.kill('SIGKILL')
    await closed
    rmSync(directory, { recursive: true })
  }
  // The time limit also ends a request to a program that accepts connections and does not respond.
  const signal = AbortSignal.timeout(10_000)
  while ((await send({ port, path, agent: false, signal })).status !== 200) {
    if (child.exitCode !== null || signal.aborted) {
      const printed = readFileSync(logFile, 'utf8')
      await stop()
      throw new Error(`${command.join(' ')} did not respond to GET ${path} with 200:\n${printed}`)
    }
    await setTimeout(1)
  }
  const startedInMs = performance.now() - startedAt
  const { pid = 0 } = child
  // The start of the guard is not part of the measurement.
  const guard = endWithThisProcess(pid, 'SIGKILL')
  return {
    url: `http://127.0.0.1:${port}`,
    pid,
    startedInMs,
    readResidentMb: async () => Number(await succeed('ps', ['-o', 'rss=', '-p', String(pid)])) / 1024,
    async [Symbol.asyncDispose]() {
      await stop()
      guard.kill('SIGKILL')
    },
  }
}
