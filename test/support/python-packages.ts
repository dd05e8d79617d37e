import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { succeed } from './run.ts'
import { needTools } from './tools.ts'

/**
 * Installs the packages of a requirements file with hashes in the user's cache, once for each content of the file.
 *
 * @returns the directory of the packages, for PYTHONPATH
 */
export async function installPythonPackages(requirements: string): Promise<string> {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const cache = join(homedir(), '.cache', `${basename(requirements, '.txt')}-test`)
  const directory = join(cache, version)
  if (existsSync(directory)) return directory
  await needTools(['pip3'], 'python3-pip')
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(join(cache, 'new-'))
  try {
    const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check']
    await succeed('pip3', ['install', ...options, '--require-hashes', '-r', requirements, '--target', partial])
    // Another test file may have installed the packages meanwhile.
    if (!existsSync(directory)) renameSync(partial, directory)
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
  return directory
}
