import { type ExecFileException, execFile } from 'node:child_process'

export interface Result {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs a program. Resolves with any exit code. @throws when the program cannot be started */
export function run(file: string, args: readonly string[], { env, cwd }: RunOptions = {}): Promise<Result> {
  const options = { env: { ...process.env, ...env }, cwd, maxBuffer: 64 * 1024 ** 2 }
  return new Promise((resolve, reject) => {
    execFile(file, args, options, (error: ExecFileException | null, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') reject(error)
      else resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr })
    })
  })
}

/** Runs a program that must succeed. @throws with its output when the exit code is not 0 */
export async function succeed(file: string, args: readonly string[], options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(file, args, options)
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}
