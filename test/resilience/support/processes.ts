import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { succeed } from '../../support/run.ts'
import type { LoadPlan, PhaseReport } from './load-service.ts'

const running = new Set<ChildProcess>()

/** Starts a program of this folder that prints its port first. */
export async function startService(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const program = `test/resilience/support/${name}-service.ts`
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  return { port: Number(line), pid: child.pid! }
}

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
