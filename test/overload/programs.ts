import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createChildren } from '../resilience/children.ts'
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
  const children = createChildren()

  /** Starts a program whose first line is its port, or a log line with its port. */
  async function run(command: readonly string[], { env = {}, files }: ProgramOptions = {}): Promise<Program> {
    const limit = files === undefined ? '' : `ulimit -n ${files}; `
    const { pid, output } = await children.start(['/bin/sh', '-c', `${limit}exec "$@"`, 'sh', ...command], env)
    const [line] = (await once(createInterface({ input: output }), 'line')) as [string]
    const [, port] = /port":(\d+)/.exec(line) ?? []
    return { port: Number(port ?? line), pid }
  }

  return {
    run,
    /** Starts a program of this folder. */
    start: (name: string, args: readonly (string | number)[] = [], options?: ProgramOptions) =>
      run([process.execPath, file(name), ...args.map(String)], options),
    [Symbol.asyncDispose]: () => children[Symbol.asyncDispose](),
  }
}

/** Sends load from a separate process. Resolves with a report for each phase. */
export async function sendLoad(plan: LoadPlan): Promise<readonly PhaseReport[]> {
  const output = await succeed(process.execPath, [file('load'), JSON.stringify(plan)])
  // JSON has null for NaN, the percentile of no responses. No limit holds for NaN, and most limits hold for null.
  const parse = (line: string): PhaseReport => JSON.parse(line, (_name, value) => value ?? Number.NaN)
  return output.trim().split('\n').map(parse)
}

export const percent = (share: number) => `${Math.round(100 * share)} %`
