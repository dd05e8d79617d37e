import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { endWithThisProcess, freePort } from '../scripts/services/service.ts'
import { onCpu } from './cpu.ts'
import type { Program } from './programs.ts'

export interface RunningServer extends AsyncDisposable {
  readonly url: string
  readonly pid: number
  /** From spawn to the first 200, in milliseconds. */
  readonly startedInMs: number
}

/** Status of GET /ping, or undefined when nobody listens. */
function ping(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    get({ host: '127.0.0.1', port, path: '/ping', agent: false }, (response) => {
      response.resume().once('end', () => resolve(response.statusCode))
    }).once('error', () => resolve(undefined))
  })
}

/**
 * Starts a program as it would run in production, its output in a file, and resolves with its first 200.
 *
 * @throws with what it printed when it ends before, or does not come up within ten seconds
 */
export async function startServer({ command, env }: Program, { cpu }: { cpu?: number } = {}): Promise<RunningServer> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const logFile = join(directory, 'log')
  const log = openSync(logFile, 'w')
  const port = await freePort()
  const [file, ...args] = cpu === undefined ? command : onCpu(cpu, command)
  const startedAt = performance.now()
  const child = spawn(file, args, {
    // Nothing of this shell's own, which may configure the service or Node.
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
  while ((await ping(port)) !== 200) {
    if (child.exitCode !== null || performance.now() - startedAt > 10_000) {
      const printed = readFileSync(logFile, 'utf8')
      await stop()
      throw new Error(`${command.join(' ')} does not answer:\n${printed}`)
    }
    await setTimeout(1)
  }
  const startedInMs = performance.now() - startedAt
  const { pid = 0 } = child
  // Only now, so that starting the guard is no part of what was measured.
  const guard = endWithThisProcess(pid, 'SIGKILL')
  return {
    url: `http://127.0.0.1:${port}`,
    pid,
    startedInMs,
    async [Symbol.asyncDispose]() {
      await stop()
      guard.kill('SIGKILL')
    },
  }
}
