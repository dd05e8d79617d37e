import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { succeed } from '../../../test/support/run.ts'
import { needTools } from '../../../test/support/tools.ts'

/** The plugin that copies the jars. Without a version, Maven uses the newest version. */
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

const folder = (name: string) => join(import.meta.dirname, name)
const checksumFile = (name: string) => join(folder(name), 'checksums.txt')

/** Lists the jars of a directory as `sha256sum` prints them. */
const listChecksums = (directory: string) =>
  globSync(join(directory, '*.jar'))
    .sort()
    .map((file) => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`)
    .join('')

async function download(name: string, to: string): Promise<void> {
  await needTools(['java', 'javac', 'mvn'], 'default-jdk-headless maven')
  const repository = mkdtempSync(`${to}-repository-`)
  const options = ['--quiet', '--batch-mode', `-Dmaven.repo.local=${repository}`, `-DoutputDirectory=${to}`]
  try {
    await succeed('mvn', [...options, '--file', join(folder(name), 'pom.xml'), COPY])
  } finally {
    rmSync(repository, { recursive: true, force: true })
  }
}

/**
 * Installs the jars of `<name>/pom.xml` in the user's cache, once for each list of checksums. Resolves with their
 * class path.
 *
 * @throws when Java and Maven cannot be installed, or when a jar differs from `<name>/checksums.txt`
 */
export async function installJars(name: string): Promise<string> {
  const expected = readFileSync(checksumFile(name), 'utf8')
  const cache = join(homedir(), '.cache/logging-test')
  const directory = join(cache, `${name}-${createHash('sha256').update(expected).digest('hex').slice(0, 12)}`)
  if (!existsSync(directory)) {
    mkdirSync(cache, { recursive: true })
    const partial = mkdtempSync(join(cache, 'new-'))
    try {
      await download(name, partial)
      if (listChecksums(partial) !== expected) throw new Error(`${name}: a jar differs from ${checksumFile(name)}`)
      // Another test file may have installed the jars meanwhile.
      if (!existsSync(directory)) renameSync(partial, directory)
    } finally {
      rmSync(partial, { recursive: true, force: true })
    }
  }
  await needTools(['java'], 'default-jdk-headless')
  return join(directory, '*')
}

if (import.meta.main) {
  for (const name of ['kafka', 'opensearch']) {
    const directory = mkdtempSync(join(homedir(), '.cache/logging-test-'))
    await download(name, directory)
    writeFileSync(checksumFile(name), listChecksums(directory))
    rmSync(directory, { recursive: true })
  }
}
