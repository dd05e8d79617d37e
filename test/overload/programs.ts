import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { endWithThisProcess } from '../../scripts/services/service.ts'
import { succeed } from '../support/run.ts'
import type { LoadPlan, PhaseReport } from './programs/load.ts'

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Maximum number of open files. @default the limit of this process */
  readonly files?: number
}

export interface Program {
  readonly port: number
  readonly pid: number
}

const file = (name: string) => join(import.meta.dirname, 'programs', `${name}.ts`)

/** Returns functions that start programs. Disposing kills the programs that still run. */
export function createPrograms() {
  const running = new Set<ChildProcess>()

  /** Starts a program whose first line is its port, or a log line with its port. */
  async function run(command: readonly string[], { env = {}, files }: ProgramOptions = {}): Promise<Program> {
    const limit = files === undefined ? '' : `ulimit -n ${files}; `
    const shell = ['-c', `${limit}exec "$@"`, 'sh', ...command]
    const child = spawn('/bin/sh', shell, { env, stdio: ['ignore', 'pipe', 'inherit'] })
    running.add(child)
    await once(child, 'spawn')
    const guard = endWithThisProcess(child.pid!, 'SIGKILL')
    child.once('close', () => {
      guard.kill('SIGKILL')
      running.delete(child)
    })
    const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
    const [, port] = /port":(\d+)/.exec(line) ?? []
    return { port: Number(port ?? line), pid: child.pid! }
  }

  return {
    run,
    /** Starts a program of this folder. */
    start: (name: string, args: readonly (string | number)[] = [], options?: ProgramOptions) =>
      run([process.execPath, file(name), ...args.map(String)], options),
    async [Symbol.asyncDispose]() {
      for (const child of running) {
        const closed = once(child, 'close')
        child.kill('SIGKILL')
        await closed
      }
    },
  }
}

/** Sends load from a separate process. Resolves with a report for each phase. */
export async function sendLoad(plan: LoadPlan): Promise<readonly PhaseReport[]> {
  const output = await succeed(process.execPath, [file('load'), JSON.stringify(plan)])
  return output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
}

export const percent = (share: number) => `${Math.round(100 * share)} %`
