/*
 * node scripts/build.ts bundle               dist/server.cjs, its source map, dist/THIRD_PARTY_LICENSES
 * node scripts/build.ts executable [TARGET]  dist/app, or dist/app-TARGET from the Node of that platform
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundle, LAST_LINE, PAGE_FILES, pageFiles } from './bundle.ts'

const root = dirname(import.meta.dirname)

async function server(): Promise<void> {
  const metafile = await bundle('dist/server.cjs')
  writeFileSync('dist/THIRD_PARTY_LICENSES', licenses([...Object.keys(metafile.inputs), ...Object.values(PAGE_FILES)]))
  const bytes = metafile.outputs['dist/server.cjs']?.bytes ?? 0
  console.error(`dist/server.cjs ${(bytes / 1e6).toFixed(2)} MB`)
}

/** The licence texts of every package with one of these files, and of Node, which the executable contains. */
function licenses(paths: readonly string[]): string {
  const directories = new Set(
    paths.flatMap((path) => /^node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  )
  // Beside a file that is a bundle itself, with the notices of its parts.
  const besides = paths.map((path) => `${path}.LICENSE.txt`).filter((path) => existsSync(path))
  const sections = [...directories].sort().map((directory) => {
    const { name, version, license, repository } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'))
    const text =
      licenseText(directory) ?? `The package has no licence text of its own: see ${repository.url ?? repository}`
    const parts = besides.filter((path) => path.startsWith(`${directory}/`)).map((path) => readFileSync(path, 'utf8'))
    return [`${name} ${version} (${license})`, text, ...parts.map((part) => part.trim())].join('\n\n')
  })
  return `${[...sections, nodeLicense()].join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

function nodeLicense(): string {
  // Beside bin/ in Node's own archives, images and npm packages; a distribution may keep it elsewhere.
  const file = join(dirname(dirname(process.execPath)), 'LICENSE')
  const text = existsSync(file)
    ? readFileSync(file, 'utf8').trim()
    : `https://github.com/nodejs/node/blob/${process.version}/LICENSE`
  return `Node.js ${process.version}\n\n${text}`
}

/** Its licence files, else the licence section of its README. */
function licenseText(directory: string): string | undefined {
  const files = readdirSync(directory)
  const read = (file: string) => readFileSync(join(directory, file), 'utf8').trim()
  const texts = files.filter((file) => /^(licen[cs]e|copying|notice)/i.test(file)).map(read)
  if (texts.length > 0) return texts.join('\n\n')
  const readme = files.find((file) => /^readme/i.test(file))
  return readme && /^#+ licen[cs]e\s+([\s\S]+)/im.exec(read(readme))?.[1]
}

/** Only such as leave Node's own code cache valid: most flags of V8 do not, and cost a start 9 ms (docs/performance.md). */
const NODE_FLAGS = [
  // Or that signal opens a debugger.
  '--disable-sigusr1',
  // Not four threads beside the one that answers: where they share its core, it waits for all of them.
  '--v8-pool-size=1',
  // A start allocates less than that, and is not interrupted by collections. Under load, more would be a third of the
  // memory in garbage, for no speed that can be measured.
  '--min-semi-space-size=8',
  '--max-semi-space-size=8',
]

function executable(target: string | undefined): void {
  const output = target === undefined ? 'dist/app' : `dist/app-${target}${target.startsWith('win-') ? '.exe' : ''}`
  const parts = mkdtempSync('dist/executable-')
  const bundle = join(parts, 'bundle')
  const config = join(parts, 'sea.json')
  // esbuild escapes all but ASCII, so each byte is a character and V8 keeps it at that.
  const [code, lastLine] = readFileSync('dist/server.cjs', 'latin1').split(LAST_LINE)
  if (lastLine === undefined) throw new Error('the bundle does not end with the page files')
  writeFileSync(bundle, `(function (exports, require, module) {\n${code}\n})`, 'latin1')
  const files = pageFiles().map(([name, content]) => {
    writeFileSync(join(parts, name), content)
    return [name, join(parts, name)]
  })
  // Of the V8 and the processor that made them, so only this platform's own has them.
  const codeCaches = target === undefined ? { 'code-cache': [], 'code-cache-with-stores': ['--stores'] } : {}
  for (const [name, options] of Object.entries(codeCaches)) {
    run(process.execPath, 'scripts/executable/code-cache.ts', bundle, join(parts, name), ...options)
    files.push([name, join(parts, name)])
  }
  const settings = {
    main: 'scripts/executable/main.cjs',
    output,
    disableExperimentalSEAWarning: true,
    execArgv: NODE_FLAGS,
    assets: { bundle, ...Object.fromEntries(files) },
    ...(target !== undefined && { executable: nodeOf(target) }),
  }
  writeFileSync(config, JSON.stringify(settings))
  rmSync(output, { force: true })
  run(process.execPath, '--build-sea', config)
  rmSync(parts, { recursive: true })
  console.error(output)
  if (target?.startsWith('darwin-')) console.error(`sign it on a Mac before it is run: codesign --sign - ${output}`)
}

const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] })

function nodeOf(target: string): string {
  run('sh', 'scripts/toolchain/install.sh', target)
  const [directory = ''] = readdirSync(`.toolchain/${target}/node_modules`).filter((name) => name.startsWith('node-'))
  return `.toolchain/${target}/node_modules/${directory}/bin/node${target.startsWith('win-') ? '.exe' : ''}`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [what, target] = process.argv.slice(2)
  process.chdir(root)
  mkdirSync('dist', { recursive: true })
  if (what === 'bundle') await server()
  else if (what === 'executable') executable(target || undefined)
  else throw new Error(`unknown artifact ${what}: bundle or executable`)
}
