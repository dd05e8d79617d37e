import { execFile } from 'node:child_process'
import type { Check } from '../monitor.ts'
import { CheckFailure } from './failure.ts'

export interface CommandCheckOptions {
  /** An absolute path. No shell is involved, so nothing in `args` is expanded. */
  readonly file: string
  readonly args?: readonly string[]
}

/** Runs a program: exit code 0 is ok. It is killed when it outlives its time. */
export function commandCheck({ file, args = [] }: CommandCheckOptions): Check {
  return function checkCommand(signal) {
    return new Promise<void>((resolve, reject) => {
      const options = { signal, killSignal: 'SIGKILL', maxBuffer: 64 * 1024, windowsHide: true } as const
      execFile(file, [...args], options, (error, _stdout, stderr) => {
        if (error === null) return resolve()
        if (typeof error.code !== 'number') return reject(error)
        reject(new CheckFailure('unhealthy', `${file} ended with ${error.code}: ${stderr.slice(0, 500).trim()}`))
      })
    })
  }
}
