import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { endWithThisProcess } from '../../scripts/services/service.ts'

export interface Child {
  readonly pid: number
  readonly output: Readable
  /** Sends SIGKILL and waits for the end. */
  kill(): Promise<void>
}

/** Returns a function that starts processes. Disposing kills the processes that still run. */
export function createChildren() {
  const running = new Set<Child>()
  return {
    async start(command: readonly [string, ...string[]], env: Readonly<Record<string, string>>): Promise<Child> {
      const [file, ...args] = command
      const process: ChildProcessByStdio<null, Readable, null> = spawn(file, args, {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(process, 'spawn')
      const guard = endWithThisProcess(process.pid!, 'SIGKILL')
      const closed = once(process, 'close').then(() => {
        guard.kill('SIGKILL')
        running.delete(child)
      })
      const child: Child = {
        pid: process.pid!,
        output: process.stdout,
        async kill() {
          process.kill('SIGKILL')
          await closed
        },
      }
      running.add(child)
      return child
    },
    async [Symbol.asyncDispose](): Promise<void> {
      await Promise.all([...running].map((child) => child.kill()))
    },
  }
}
