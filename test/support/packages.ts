import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { succeed } from './run.ts'

/**
 * Installs the locked packages of a directory in the user's cache, once for each lock file. The directory holds
 * package.json, package-lock.json and .npmrc. Resolves with the path of `node_modules`.
 */
export async function installPackages(directory: string, name: string): Promise<string> {
  const lock = readFileSync(join(directory, 'package-lock.json'))
  const cache = join(homedir(), '.cache', name)
  const installed = join(cache, createHash('sha256').update(lock).digest('hex').slice(0, 12))
  if (!existsSync(installed)) {
    mkdirSync(cache, { recursive: true })
    const temporary = mkdtempSync(join(cache, 'new-'))
    try {
      for (const file of ['package.json', 'package-lock.json', '.npmrc']) {
        cpSync(join(directory, file), join(temporary, file))
      }
      await succeed('npm', ['ci', '--loglevel=error'], { cwd: temporary })
      // Another test run may have installed the packages meanwhile.
      if (!existsSync(installed)) renameSync(temporary, installed)
    } finally {
      rmSync(temporary, { recursive: true, force: true })
    }
  }
  return join(installed, 'node_modules')
}
