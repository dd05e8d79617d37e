import { spawn } from 'node:child_process'
import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

export interface CommandCheckOptions {
  /** An absolute path. No shell is involved, so nothing in `args` is expanded. */
  readonly file: string
  readonly args?: readonly string[]
}

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs a program: exit code 0 is ok. It gets a PATH and nothing else of the environment, where the
 * secrets are. When it outlives its time it is killed, with all that it has started.
 */
export function commandCheck({ file, args = [] }: CommandCheckOptions): Check {
  return function checkCommand(signal) {
    return new Promise<void>((resolve, reject) => {
      const child = spawn(file, args, { env: { PATH }, detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
      const kill = () => {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      }
      let stderr = ''
      child.stderr.on('data', (chunk) => {
        stderr = (stderr + chunk).slice(-500)
      })
      child.once('error', reject)
      child.once('exit', (code, killedBy) => {
        signal.removeEventListener('abort', kill)
        if (code === 0) resolve()
        else reject(new CheckFailure('unhealthy', `${file} ended with ${killedBy ?? code}: ${stderr.trim()}`))
      })
      signal.addEventListener('abort', kill)
    })
  }
}
