import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { succeed } from '../../support/run.ts'
import type { LoadPlan, PhaseReport } from './load-service.ts'

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Limit of open files. @default that of this process */
  readonly files?: number
}

const running = new Set<ChildProcess>()

/** Starts a program that prints its port on a line of its own or in its log. Resolves when it has printed a line. */
export async function startProgram(command: readonly string[], { env = {}, files }: ProgramOptions = {}) {
  const limit = files === undefined ? '' : `ulimit -n ${files}; `
  const child = spawn('/bin/sh', ['-c', `${limit}exec "$@"`, 'sh', ...command], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.add(child)
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return { port: line.startsWith('{') ? findPort(line) : Number(line), pid: child.pid! }
}

function findPort(line: string): number {
  const fields = JSON.parse(line)
  return Number(fields['port'] ?? fields['server.port'])
}

/** Starts a program of this folder. */
export const startService = (name: string, args: readonly string[], options?: ProgramOptions) =>
  startProgram([process.execPath, `test/resilience/support/${name}-service.ts`, ...args], options)

/** For afterEach. */
export async function killServices(): Promise<void> {
  for (const child of running) {
    const closed = once(child, 'close')
    child.kill('SIGKILL')
    await closed
    running.delete(child)
  }
}

/** Sends load from a process of its own. Resolves with a report of each phase. */
export async function sendLoad(plan: LoadPlan): Promise<readonly PhaseReport[]> {
  const output = await succeed(process.execPath, ['test/resilience/support/load-service.ts', JSON.stringify(plan)])
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}
