import { spawn } from 'node:child_process'
import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs the program at an absolute path, without a shell. Exit code 0 is ok. The program gets no variable except PATH,
 * because the environment holds secrets. When the signal aborts, the program and the processes that it has started are
 * killed.
 */
export function commandCheck(file: string, args: readonly string[] = []): Check {
  return (signal) =>
    new Promise<void>((resolve, reject) => {
      const child = spawn(file, args, { env: { PATH }, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
      const kill = () => {
        try {
          // The group has the id of its first process, which is undefined after a failed start.
          process.kill(-Number(child.pid), 'SIGKILL')
        } catch {
          // EPERM: the program runs as another user now. ESRCH: the program has ended. Its exit settles the check.
        }
      }
      let stderr = ''
      // Node creates no pipe when the process has no file descriptor left.
      child.stderr?.on('data', (chunk) => {
        stderr = (stderr + chunk).slice(-500)
      })
      child.once('error', reject)
      child.once('exit', () => {
        signal.removeEventListener('abort', kill)
        // The next turn of the event loop reads the rest of the output. Afterwards, only a process that the program has
        // left behind keeps the pipe open.
        setImmediate(() => setImmediate(() => child.stderr?.destroy()))
      })
      child.once('close', (code, killedBy) => {
        if (code === 0) resolve()
        else reject(new CheckFailure('unhealthy', `${file} ended with ${killedBy ?? code}: ${stderr.trim()}`))
      })
      signal.addEventListener('abort', kill)
    })
}
