import { runProgram } from '../../run-program.ts'
import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * Runs the program at an absolute path, without a shell. Exit code 0 is ok. The program gets no variable except PATH,
 * because the environment holds secrets. When the signal aborts, the program and the processes that it has started are
 * killed.
 */
export function commandCheck(file: string, args: readonly string[] = []): Check {
  return async (signal) => {
    const { code, killedBy, stderr } = await runProgram(file, args, { env: { PATH }, signal })
    if (code === 0) return
    throw new CheckFailure('unhealthy', `${file} ended with ${killedBy ?? code}: ${stderr.trim().slice(-500)}`)
  }
}
