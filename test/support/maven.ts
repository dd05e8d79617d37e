import { createHash } from 'node:crypto'
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { cached } from './install.ts'
import { succeed } from './run.ts'
import { needTools } from './tools.ts'

/** Java options that let a small server start faster on a machine with few cores. */
export const JAVA_OPTIONS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']

/** The plugin that copies the jars. Without a version, Maven uses the newest version. */
const COPY = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

const checksumFile = (folder: string) => join(folder, 'checksums.txt')

/** Lists the jars of a directory as `sha256sum` prints them. */
const listChecksums = (directory: string) =>
  globSync(join(directory, '*.jar'))
    .sort()
    .map((file) => `${createHash('sha256').update(readFileSync(file)).digest('hex')}  ${basename(file)}\n`)
    .join('')

async function download(folder: string, to: string): Promise<void> {
  await needTools(['java', 'javac', 'mvn'], 'default-jdk-headless maven')
  const repository = mkdtempSync(`${to}-repository-`)
  const options = ['--quiet', '--batch-mode', `-Dmaven.repo.local=${repository}`, `-DoutputDirectory=${to}`]
  try {
    await succeed('mvn', [...options, '--file', join(folder, 'pom.xml'), COPY])
  } finally {
    rmSync(repository, { recursive: true, force: true })
  }
}

/**
 * Installs the jars of `<folder>/pom.xml` in the user's cache, once for each list of checksums. Resolves with their
 * class path.
 *
 * @throws when Java and Maven cannot be installed, or when a jar differs from `<folder>/checksums.txt`
 */
export async function installJars(folder: string): Promise<string> {
  const expected = readFileSync(checksumFile(folder), 'utf8')
  const directory = await cached('maven-jars', expected, async (to) => {
    await download(folder, to)
    if (listChecksums(to) !== expected) throw new Error(`a jar differs from ${checksumFile(folder)}`)
  })
  await needTools(['java'], 'default-jdk-headless')
  return join(directory, '*')
}

// node test/support/maven.ts FOLDER… writes the checksums after a change of pom.xml.
if (import.meta.main) {
  for (const folder of process.argv.slice(2)) {
    const directory = mkdtempSync(join(homedir(), '.cache/maven-test-'))
    await download(folder, directory)
    writeFileSync(checksumFile(folder), listChecksums(directory))
    rmSync(directory, { recursive: true })
  }
}
