import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Result, run, succeed } from '../../support/run.ts'

/** Creates the commands that the tests of the template run in a working tree. */
export function workingTree(path: string) {
  const at = (file: string) => join(path, file)
  const git = async (...args: string[]) => (await succeed('git', args, { cwd: path })).trim()
  return {
    path,
    at,
    git,
    make: (...args: string[]): Promise<Result> => run('make', args, { cwd: path }),
    read: (file: string) => readFileSync(at(file), 'utf8'),
    replace(file: string, from: string, to: string) {
      const text = readFileSync(at(file), 'utf8')
      if (!text.includes(from)) throw new Error(`${file} has no ${from}`)
      writeFileSync(at(file), text.replace(from, to))
    },
    write(file: string, text: string) {
      mkdirSync(dirname(at(file)), { recursive: true })
      writeFileSync(at(file), text)
    },
    async commit(message: string) {
      await git('add', '--all')
      await git('commit', '--quiet', '--message', message)
      return git('rev-parse', 'HEAD')
    },
    files: async () => (await git('ls-files')).split('\n'),
    /** Returns the state that a refused command must not change. */
    state: async () => [await git('for-each-ref'), await git('worktree', 'list'), await git('status', '--porcelain')],
  }
}
export type WorkingTree = ReturnType<typeof workingTree>

export async function cloneTo(path: string, source = '.'): Promise<WorkingTree> {
  await succeed('git', ['clone', '--quiet', source, path])
  return workingTree(path)
}
