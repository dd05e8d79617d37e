/*
 * node scripts/build.ts bundle               dist/server.cjs, its source map, dist/THIRD_PARTY_LICENSES
 * node scripts/build.ts executable [TARGET]  dist/app, or dist/app-TARGET from the Node of that platform
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'dotenv'
import { bundle, compressPageFiles, LAST_LINE, PAGE_FILES } from './bundle.ts'

async function makeBundle(): Promise<void> {
  const { inputs, outputs } = await bundle('dist/server.cjs')
  writeFileSync('dist/THIRD_PARTY_LICENSES', joinLicenses([...Object.keys(inputs), ...Object.values(PAGE_FILES)]))
  const bytes = outputs['dist/server.cjs']?.bytes ?? 0
  writeFileSync('dist/server.cjs.map', shortenMap(readFileSync('dist/server.cjs.map', 'utf8'), bytes))
  console.error(`dist/server.cjs ${(bytes / 1e6).toFixed(2)} MB`)
}

/**
 * Removes the texts of the sources from a source map, so that a quarter of its size is left. Adds the size of the
 * bundle, so that scripts/executable/stack-traces.ts can reject the map of another build. JSON escapes keep the file in
 * ASCII.
 */
function shortenMap(text: string, bytes: number): string {
  const { version, sources, mappings } = JSON.parse(text)
  const map = JSON.stringify({ version, file: 'server.cjs', x_bytes: bytes, sources, names: [], mappings })
  return map.replace(/[^\0-\x7f]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Joins the licence texts of the packages that these files belong to, and of Node, which the executable contains. */
function joinLicenses(paths: readonly string[]): string {
  const files = paths.filter((path) => !/^\w+:/.test(path))
  // Use the last node_modules in a path: packages contain packages, and node_modules may be a link.
  const directories = new Set(files.flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))
  // A package that is published as a bundle has the notices of its parts in a file beside the bundle.
  const notices = files.map((path) => `${path}.LICENSE.txt`).filter((path) => existsSync(path))
  const sections = [...directories].sort().map((directory) => {
    const { name, version, license, repository } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    const own = readLicense(directory)
    const text = own ?? `The package has no licence text: see ${repository.url ?? repository}`
    const parts = notices.filter((path) => path.startsWith(`${directory}/`)).map((path) => readFileSync(path, 'utf8'))
    return [`${name} ${version} (${license})`, text, ...parts.map((part) => part.trim())].join('\n\n')
  })
  // Node's archives, images and npm packages have a LICENSE beside bin/. The Node of a Linux distribution may have
  // none.
  const nodeText = readLicense(dirname(dirname(process.execPath)))
  const url = `https://github.com/nodejs/node/blob/${process.version}/LICENSE`
  return `${[...sections, `Node.js ${process.version}\n\n${nodeText ?? url}`].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

/** Reads the licence files of a package or, when it has none, the licence section of its README. */
function readLicense(directory: string): string | undefined {
  const files = readdirSync(directory)
  const read = (file: string) => readFileSync(join(directory, file), 'utf8').trim()
  const texts = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).map(read)
  if (texts.length > 0) return texts.join('\n\n')
  const readme = files.find((file) => /^readme/i.test(file))
  return readme && /^#+ licen[cs]e\s+([\s\S]+)/im.exec(read(readme))?.[1]
}

/** These flags keep Node's own code cache valid. Without it, a start takes 9 ms longer (docs/performance.md). */
const NODE_FLAGS = [
  // Without this flag, SIGUSR1 opens a debugger.
  '--disable-sigusr1',
  // By default V8 runs four threads beside the main one. On a shared core, the main thread waits for all these threads.
  '--v8-pool-size=1',
  // A start allocates less than 8 MB, so no garbage collection interrupts it. With larger semi-spaces, garbage would
  // take a third of the memory under load, and throughput would not change.
  '--min-semi-space-size=8',
  '--max-semi-space-size=8',
]

function makeExecutable(target: string | undefined, output: string): void {
  const parts = mkdtempSync(join(tmpdir(), 'executable-'))
  try {
    // esbuild escapes non-ASCII characters, so V8 can keep the text with one byte per character.
    const [code, lastLine] = readFileSync('dist/server.cjs', 'latin1').split(LAST_LINE)
    if (lastLine === undefined) throw new Error('dist/server.cjs has no page files: build the bundle again')
    const bundle = Buffer.from(`(function (exports, require, module) {\n${code}\n})`, 'latin1')
    const assets: Record<string, string> = { 'source-map': 'dist/server.cjs.map' }
    for (const [name, content] of [['bundle', bundle] as const, ...compressPageFiles()]) {
      assets[name] = join(parts, name)
      writeFileSync(assets[name], content)
    }
    // A code cache is valid for one version of V8 and one processor, so only this platform's executable has one.
    for (const name of target === undefined ? ['code-cache', 'code-cache-with-stores'] : []) {
      assets[name] = join(parts, name)
      writeCodeCache(join(parts, 'bundle'), assets[name], name === 'code-cache-with-stores')
      checkCodeCache(join(parts, 'bundle'), assets[name])
    }
    const settings = {
      main: 'scripts/executable/main.cjs',
      output,
      disableExperimentalSEAWarning: true,
      execArgv: NODE_FLAGS,
      assets,
      ...(target !== undefined && { executable: installNode(target) }),
    }
    writeFileSync(join(parts, 'sea.json'), JSON.stringify(settings))
    execFileSync(process.execPath, ['--build-sea', join(parts, 'sea.json')])
  } finally {
    rmSync(parts, { recursive: true })
  }
  console.error(output)
  if (target?.startsWith('darwin-')) console.error(`sign it on a Mac before you run it: codesign --sign - ${output}`)
}

/** Installs the Node of another platform. Returns its path. */
const installNode = (target: string) =>
  execFileSync('sh', ['scripts/toolchain/install.sh', target], { encoding: 'utf8' }).trim()

const STUB = 'scripts/executable/stub.env'

/** Starts the service once in a minimal environment. @throws with the output of the service when the start fails */
function writeCodeCache(bundle: string, output: string, withStores: boolean): void {
  const stub = Object.entries(parse(readFileSync(STUB)))
  // scripts/executable/main.cjs reads the code cache with stores when one of these variables is set.
  const env = Object.fromEntries(stub.filter(([name]) => withStores || !/^(DATABASE|REDIS)_URL/.test(name)))
  const script = resolve('scripts/executable/code-cache.ts')
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, bundle, output], {
    // This directory has no `.env`, so the settings of a developer have no effect.
    cwd: dirname(bundle),
    env: { PATH: process.env['PATH'], ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 ** 2,
  })
  if (status === 0) return
  throw new Error(
    `The build starts the service once, with the variables of ${STUB}, to make its code cache. The start failed. ` +
      `If the service needs a variable, give it a value in ${STUB}.\n${stdout}${stderr}`,
  )
}

/** @throws when V8 rejects the code cache in a process with the flags of the executable: each start would compile */
function checkCodeCache(bundle: string, codeCache: string): void {
  const script = `
    const { readFileSync } = require('node:fs')
    const [bundle, codeCache] = process.argv.slice(1)
    const options = { filename: 'server.cjs', lineOffset: -1, cachedData: readFileSync(codeCache) }
    console.log(new (require('node:vm').Script)(readFileSync(bundle, 'latin1'), options).cachedDataRejected)`
  const args = [...NODE_FLAGS, '--eval', script, bundle, codeCache]
  const isRejected = execFileSync(process.execPath, args, { encoding: 'utf8' }).trim() !== 'false'
  if (isRejected) throw new Error('V8 rejects the code cache: it was made with other flags than those of a start.')
}

/** Removes the outputs of an earlier build. When `make` fails, removes the outputs of this build too. */
async function produce(outputs: readonly string[], make: () => void | Promise<void>): Promise<void> {
  const remove = () => outputs.forEach((output) => void rmSync(output, { force: true }))
  mkdirSync('dist', { recursive: true })
  remove()
  try {
    await make()
  } catch (error) {
    remove()
    console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  }
}

process.chdir(dirname(import.meta.dirname))
const [artifact, target] = process.argv.slice(2)
if (artifact === 'bundle') {
  await produce(['dist/server.cjs', 'dist/server.cjs.map', 'dist/THIRD_PARTY_LICENSES'], makeBundle)
} else if (artifact === 'executable') {
  const output = target ? `dist/app-${target}${target.startsWith('win-') ? '.exe' : ''}` : 'dist/app'
  await produce([output], () => makeExecutable(target || undefined, output))
} else throw new Error(`unknown artifact ${artifact}: expected bundle or executable`)
