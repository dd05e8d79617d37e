import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { TimeoutError, withTimeout } from './with-timeout.ts'

export interface RunOptions {
  /** Variables of the program. @default the environment of this process */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** When it aborts, the program and the processes that it has started are killed. */
  readonly signal: AbortSignal
}

/** Maximum length of each output that is kept, in characters. */
const MAX_OUTPUT = 64 * 1024

/**
 * Runs a program without a shell and without input, in a process group. Resolves when it exits, with the end of its
 * outputs. A program that runs as another user, such as with sudo, cannot be killed, and may exit long after the abort.
 *
 * @throws the error of a start that fails
 */
export async function runProgram(file: string, args: readonly string[], { env, signal }: RunOptions) {
  const child = spawn(file, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    // Node creates no pipe when the process has no file descriptor left.
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      output[name] = (output[name] + text).slice(-MAX_OUTPUT)
    })
  }
  const closePipes = () => [child.stdout, child.stderr].forEach((pipe) => void pipe?.destroy())
  const kill = () => {
    closePipes()
    try {
      // The group has the id of its first process, which is undefined after a failed start.
      process.kill(-Number(child.pid), 'SIGKILL')
    } catch {
      // EPERM: the program runs as another user. ESRCH: it has ended, and its exit follows.
    }
  }
  signal.addEventListener('abort', kill)
  // The next turn of the event loop reads the rest of the output. Afterwards, only a process that the program has left
  // behind keeps the pipes open.
  child.once('exit', () => setImmediate(() => setImmediate(closePipes)))
  try {
    // A signal has ended the program when `code` is null.
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
    return { code, killedBy, ...output }
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

/**
 * Runs a program as `runProgram` does, for at most `timeoutMs` milliseconds, also when it cannot be killed.
 *
 * @throws TimeoutError at the limit, or the error of a start that fails
 */
export async function runWithin(timeoutMs: number, file: string, args: readonly string[], env: RunOptions['env']) {
  const end = new AbortController()
  try {
    return await withTimeout(runProgram(file, args, { env, signal: end.signal }), timeoutMs)
  } catch (error) {
    throw error instanceof TimeoutError ? new TimeoutError(`no exit within ${timeoutMs} ms`) : error
  } finally {
    // Kills the program at the limit. A program that has ended no longer listens.
    end.abort()
  }
}
