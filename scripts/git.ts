import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'

/** Returns a function that runs git in `directory` and returns the output. It throws with git's own message. */
export function openGit(directory: string) {
  return (args: readonly string[], input: string | Buffer = ''): string => {
    const output = execFileSync('git', args, { cwd: directory, input, stdio: 'pipe', maxBuffer: 256 * 1024 ** 2 })
    return output.toString().replace(/\n$/, '')
  }
}

export type Git = ReturnType<typeof openGit>

/** Lists the files of this repository, including new files and without deleted files. */
export const listFiles = (): readonly string[] =>
  openGit('.')(['ls-files', '-z', '--cached', '--others', '--exclude-standard'])
    .split('\0')
    .filter((path) => path !== '' && existsSync(path))
