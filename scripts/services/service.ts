import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createWriteStream, openSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout } from 'node:timers/promises'

/** The user for servers that refuse to run as root. Undefined when this process does not run as root. */
export const unprivilegedUser = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : undefined

/** A PostgreSQL or Redis on this machine, for development and tests. */
export interface LocalServer {
  readonly url: string
  readonly port: number
  readonly pid: number
  /** Resolves when the process has ended. */
  stop(): Promise<void>
}

export interface LaunchOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly spawnOptions?: SpawnOptions
  /** Matches the output of a server that is ready. */
  readonly readyPattern: RegExp
  /** Receives the output of the server. */
  readonly logFile: string
  readonly stopSignal: NodeJS.Signals
}

/** Starts a server. Resolves when it is ready. @throws with its output when it ends before that */
export async function launch(options: LaunchOptions): Promise<{ pid: number; stop(): Promise<void> }> {
  const { command, args, spawnOptions, readyPattern, logFile, stopSignal } = options
  // In a separate process group, the server does not receive Ctrl-C before its clients have ended.
  const child = spawn(command, args, { ...spawnOptions, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  await once(child, 'spawn')
  const { pid = 0 } = child
  const guard = endWithThisProcess(pid, stopSignal)
  // The file exists when this function resolves, so that a caller may read it.
  const log = createWriteStream(logFile, { fd: openSync(logFile, 'w') })
  const closed = once(child, 'close').then(() => {
    guard.kill('SIGKILL')
    log.end()
  })
  let output = ''
  const ready = new Promise<void>((resolve) => {
    const read = (chunk: Buffer) => {
      log.write(chunk)
      output = (output + chunk).slice(-4_000)
      if (readyPattern.test(output)) resolve()
    }
    child.stdout?.on('data', read)
    child.stderr?.on('data', read)
  })
  const failed = closed.then(() => {
    throw new Error(`${command} ended before it was ready:\n${output}`)
  })
  await Promise.race([ready, failed])
  return {
    pid,
    async stop() {
      // A process that SIGSTOP has stopped does not handle other signals.
      child.kill('SIGCONT')
      child.kill(stopSignal)
      await closed
    },
  }
}

/**
 * Starts a guard that ends a process when this process ends in any way, SIGKILL included: the pipe to the guard closes.
 */
export function endWithThisProcess(pid: number, signal: NodeJS.Signals): ChildProcess {
  const script = 'cat >/dev/null; kill -CONT "$1"; kill "-$2" "$1"'
  const args = ['-c', script, 'guard', String(pid), signal.replace('SIG', '')]
  const guard = spawn('/bin/sh', args, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  guard.unref()
  return guard
}

/**
 * The ports are below the range that the system gives to outgoing connections. Another program may take a port between
 * the search and its use, so each worker of jest has a range of its own, and a process repeats a port late.
 */
const RANGE = 2_700
const FIRST_PORT = 11_000 + (Number(process.env['JEST_WORKER_ID'] ?? 0) % 8) * RANGE
let offset = randomInt(RANGE)

function nextPort(): number {
  offset = (offset + 1) % RANGE
  return FIRST_PORT + offset
}

/** Finds a port that is free on every address. @param preferred is tried first. @default a port of the range */
export async function freePort(preferred = nextPort()): Promise<number> {
  const server = createServer()
  try {
    server.listen(preferred, '0.0.0.0')
    await once(server, 'listening')
    return preferred
  } catch {
    return freePort()
  } finally {
    server.close()
  }
}

/** Tests `condition` every 20 ms until it holds. @throws after `timeoutMs` */
export async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`the condition did not hold within ${timeoutMs} ms: ${condition}`)
    await setTimeout(20)
  }
}
