import { execFileSync } from 'node:child_process'

/** Returns a function that runs git in `directory` and returns the output. It throws with git's own message. */
export function openGit(directory: string) {
  return (args: readonly string[], input: string | Buffer = ''): string => {
    const output = execFileSync('git', args, { cwd: directory, input, stdio: 'pipe', maxBuffer: 256 * 1024 ** 2 })
    return output.toString().replace(/\n$/, '')
  }
}

export type Git = ReturnType<typeof openGit>
