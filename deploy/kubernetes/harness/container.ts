import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface ContainerProcess {
  readonly pid: number
  /** The port, or undefined when the process ended before it listened. */
  readonly port: Promise<number | undefined>
  readonly ended: Promise<Ended>
  /** Sends SIGTERM, and SIGKILL after the grace period. */
  stop(graceMs: number): void
}

const running = new Set<ChildProcess>()

/**
 * Starts the executable of the image. All pods share one address here, so each process has its own port and no admin
 * port.
 */
export function startContainer(args: readonly string[], env: Readonly<Record<string, string>>): ContainerProcess {
  const child = spawn(resolve('dist/app'), args, {
    cwd: tmpdir(),
    env: { HOST: '127.0.0.1', PORT: '0', ...env, ADMIN_PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  running.add(child)
  const ended = once(child, 'close').then(([code, signal]): Ended => {
    running.delete(child)
    return { code, signal }
  })
  const listening = new Promise<number>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (!line.includes('"listening"')) return
      resolve(Number(JSON.parse(line)['server.port']))
    })
  })
  return {
    pid: child.pid!,
    port: Promise.race([listening, ended.then(() => undefined)]),
    ended,
    stop(graceMs) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      void ended.then(() => clearTimeout(timer))
    },
  }
}

/** Kills the processes that a failed test has left. Call this function in afterEach. */
export async function killContainers(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      const closed = once(child, 'close')
      child.kill('SIGKILL')
      return closed
    }),
  )
}
