import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import type { Line } from '../support/app.ts'
import { temporaryDirectory } from '../support/temporary.ts'

export interface Bridge {
  /** The log lines of all processes of the bridge. */
  readonly lines: readonly Line[]
  kill(): Promise<void>
  /** Starts the bridge again with the same state file. */
  start(): void
}

/** Starts `app bridge`. */
export function startBridge(env: Readonly<Record<string, string>>): Bridge {
  const directory = temporaryDirectory('bridge')
  const lines: Line[] = []
  let child: ChildProcess | undefined

  function start(): void {
    child = spawn(resolve('dist/app'), ['bridge'], {
      cwd: directory,
      env: { PATH: process.env['PATH'], BRIDGE_STATE: join(directory, 'instances.json'), ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface({ input: child.stdout! }).on('line', (line) => lines.push(JSON.parse(line)))
  }

  start()
  return {
    lines,
    start,
    async kill() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      await closed
    },
  }
}
