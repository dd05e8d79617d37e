import { execFileSync } from 'node:child_process'

export interface GitOptions {
  readonly input?: string | Buffer
  readonly env?: Readonly<Record<string, string>>
}

/** Runs git in `directory`. @returns its output without the last line break. @throws with git's own message */
export function gitIn(directory: string) {
  return (args: readonly string[], { input, env }: GitOptions = {}): string => {
    try {
      const options = { cwd: directory, env: { ...process.env, ...env }, ...(input !== undefined && { input }) }
      const output = execFileSync('git', args, { ...options, stdio: 'pipe', maxBuffer: 256 * 1024 ** 2 })
      return output.toString().replace(/\n$/, '')
    } catch (cause) {
      const { stderr } = cause as { stderr?: Buffer }
      throw new Error(`git ${args[0]}: ${stderr?.toString().trim() || (cause as Error).message}`, { cause })
    }
  }
}

export type Git = ReturnType<typeof gitIn>
