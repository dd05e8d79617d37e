import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** For servers that will not run as root: a user that exists everywhere and owns nothing. Undefined where we are not root. */
export const unprivilegedUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined

/** A server that this project starts for itself, for development and tests. */
export interface LocalService {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Ends it and resolves when it is gone. */
  stop(): Promise<void>
}

export interface LaunchOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly spawnOptions?: SpawnOptions
  /** Output that shows that the server is ready. */
  readonly readyPattern: RegExp
  /** Everything that it prints goes here too. */
  readonly logFile: string
  readonly stopSignal: NodeJS.Signals
}

/**
 * Starts a server in a separate process group, so that Ctrl-C reaches its user first and not it,
 * and resolves when it is ready.
 *
 * @throws with its last words when it ends before it is ready
 */
export async function launch(options: LaunchOptions): Promise<{ pid: number; stop(): Promise<void> }> {
  const { command, args, spawnOptions, readyPattern, logFile, stopSignal } = options
  const child = spawn(command, args, { ...spawnOptions, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const { pid } = child
  if (pid === undefined) throw new Error(`${command} could not be started`)
  const guard = endWithThisProcess(pid, stopSignal)
  const log = createWriteStream(logFile)
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer) => {
      log.write(chunk)
      output = (output + chunk).slice(-4_000)
      if (readyPattern.test(output)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
    child.once('close', () => {
      guard.kill('SIGKILL')
      reject(new Error(`${command} ended before it was ready:\n${output}`))
    })
  })
  return {
    pid,
    async stop() {
      // A stopped process (SIGSTOP) would not see the signal.
      if (child.exitCode === null && child.signalCode === null) {
        process.kill(pid, 'SIGCONT')
        process.kill(pid, stopSignal)
      }
      await exited
      guard.kill('SIGKILL')
      log.end()
    },
  }
}

/** Waits on a pipe that closes when this process ends in any way, SIGKILL included, and then ends another. */
export function endWithThisProcess(pid: number, signal: NodeJS.Signals): ChildProcess {
  const script = 'cat >/dev/null; kill -CONT "$1"; kill "-$2" "$1"'
  const args = ['-c', script, 'guard', String(pid), signal.replace('SIG', '')]
  const guard = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  return guard
}

/** The preferred port when it is free on the loopback address, else one that is. */
export async function freePort(preferred = anyPort()): Promise<number> {
  const server = createServer()
  try {
    server.listen(preferred, '127.0.0.1')
    await once(server, 'listening')
    return preferred
  } catch {
    return freePort()
  } finally {
    server.close()
  }
}

/** Below the ports that the system gives to outgoing connections: none of them can take it before it is used. */
function anyPort(): number {
  return randomInt(11_000, 32_768)
}

/** Resolves when `condition` holds; asks every 20 ms. @throws when it does not within `timeoutMs` */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${condition}`)
    await setTimeout(20)
  }
}
