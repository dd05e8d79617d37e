import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { succeed } from './run.ts'

const SOURCE = `Types: deb
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
    writeFileSync(source, SOURCE)
    mkdirSync(join(directory, 'lists/partial'), { recursive: true })
    await succeed('apt-get', [...apt, '-qq', 'update'])
    await succeed('apt-get', [...apt, '-qq', 'download', ...packages], { cwd: directory })
    for (const file of globSync(join(directory, '*.deb'))) await succeed('dpkg-deb', ['--extract', file, to])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/**
 * Unpacks a program of Debian 13 and its C library into the user's cache, for an older Debian. The other libraries of
 * the program must be installed.
 *
 * @param path the program in its package, such as `usr/sbin/pgbouncer`
 * @returns the command that runs the program
 */
export async function unpackFromTrixie(debianPackage: string, path: string): Promise<[string, ...string[]]> {
  const cache = join(homedir(), '.cache', 'trixie-test')
  const root = join(cache, debianPackage)
  if (!existsSync(root)) {
    mkdirSync(cache, { recursive: true })
    const partial = mkdtempSync(join(cache, 'new-'))
    try {
      await unpack([debianPackage, 'libc6'], partial)
      // Another test run may have unpacked the packages meanwhile.
      if (!existsSync(root)) renameSync(partial, root)
    } finally {
      rmSync(partial, { recursive: true, force: true })
    }
  }
  const [triplet = ''] = readdirSync(join(root, 'usr/lib')).filter((name) => name.endsWith('-linux-gnu'))
  const libraries = join(root, 'usr/lib', triplet)
  const [loader = ''] = globSync(join(libraries, 'ld-linux-*'))
  return [loader, '--library-path', `${libraries}:/usr/lib/${triplet}`, join(root, path)]
}
