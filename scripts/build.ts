/*
 * node scripts/build.ts bundle               dist/server.cjs, its source map, dist/THIRD_PARTY_LICENSES
 * node scripts/build.ts executable [TARGET]  dist/app, or dist/app-TARGET from the Node of that platform
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import type { BuildInfo } from '#internal/build-info.ts'

const root = dirname(import.meta.dirname)

const git = (...args: string[]) =>
  execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

/** From git, or from COMMIT and SOURCE_DATE_EPOCH where the history is not at hand, as in an image build. */
function readBuildInfo(): BuildInfo {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
  let { COMMIT: commit, SOURCE_DATE_EPOCH: epoch } = process.env
  try {
    commit ||= git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty')
    epoch ||= git('log', '-1', '--format=%ct')
  } catch {
    // Not a checkout: an archive or an image's build stage without the arguments.
  }
  const time = epoch ? new Date(Number(epoch) * 1000).toISOString() : 'unknown'
  return { name, version, commit: commit || 'unknown', time }
}

/** What a start and a plain request do not need: together, a third of the time to the first answer (docs/performance.md). */
const LOADED_LATER = [
  ...['http-errors', 'iconv-lite', 'mime-types', 'qs', 'sonic-boom', 'statuses', 'thread-stream'],
  ...['assert', 'crypto', 'node:assert', 'node:crypto', 'node:zlib', 'node:worker_threads', 'worker_threads'],
]

/** Each of these is loaded when it is first used, wherever a CommonJS package asks for it. */
const loadedLater: Plugin = {
  name: 'loaded later',
  setup({ onResolve, onLoad, resolve }) {
    const filter = new RegExp(`^(${LOADED_LATER.join('|')})$`)
    const namespace = 'loaded later'
    onResolve({ filter }, async ({ path, kind, resolveDir, namespace: from }) => {
      if (kind !== 'require-call' || from === namespace) return undefined
      const { path: found } = await resolve(path, { kind: 'import-statement', resolveDir })
      return { path: isBuiltin(found) ? found : `./${relative(root, found)}`, namespace }
    })
    onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `
        let loaded
        const load = () => (loaded ??= require(${JSON.stringify(path)}))
        module.exports = new Proxy(function () {}, {
          get: (_, key) => load()[key],
          apply: (_, self, args) => Reflect.apply(load(), self, args),
          construct: (_, args, target) => Reflect.construct(load(), args, target),
        })`,
      resolveDir: root,
    }))
  },
}

/** Files that the artifact is better without, and what stands in their place. */
const REPLACED: readonly (readonly [file: RegExp, contents: string])[] = [
  // What Express's packages tell people who develop with them: `make dev` shows it. In production nobody sees it, and it
  // looks at the terminal and at the stack at each start, and is called a dozen times by each request.
  [/debug.src.index\.js$/, 'module.exports = () => () => {}'],
  [/depd.index\.js$/, 'module.exports = () => Object.assign(() => {}, { function: (fn) => fn, property() {} })'],
  // Beside the files that have called it pino looks for transports, and one file has none. To name it, V8 counts all its lines.
  [/pino.lib.caller\.js$/, 'module.exports = () => []'],
  // JSON is in a Unicode charset, and anything else is refused before it is decoded: the tables of all others are 0.45 MB.
  [/iconv-lite.encodings.(tables.[\w-]+\.json|sbcs-data-generated\.js)$/, 'module.exports = {}'],
]

const replaced: Plugin = {
  name: 'replaced',
  setup({ onLoad }) {
    for (const [{ source }, contents] of REPLACED) {
      onLoad({ filter: new RegExp(`node_modules.${source}`) }, () => ({ contents, loader: 'js' }))
    }
  },
}

const OPTIONS = {
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'cjs',
  // Not the identifiers: names of classes and functions stand in stack traces and in logged errors, and the
  // other way to keep them, `keepNames`, defines one for each closure that a request makes.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
} as const satisfies BuildOptions

/**
 * The client of Redis is hundreds of files that are of use only together. As one function they are nothing to V8
 * before it is called, and a start without Redis does not wait for them (docs/performance.md).
 */
const inOneFunction: Plugin = {
  name: 'in one function',
  setup({ onLoad, onEnd }) {
    const inputs: Metafile['inputs'] = {}
    onLoad({ filter: /node_modules.@redis.client.dist.index\.js$/ }, async ({ path }) => {
      const { outputFiles, metafile } = await build({
        ...OPTIONS,
        entryPoints: [path],
        outdir: dirname(path),
        write: false,
        sourcemap: 'inline',
        plugins: [loadedLater],
      })
      Object.assign(inputs, metafile.inputs)
      if (outputFiles[0] === undefined) throw new Error(`${path} came to nothing`)
      return { contents: outputFiles[0].text }
    })
    // The licences of all inputs are collected.
    onEnd(({ metafile }) => void Object.assign(metafile?.inputs ?? {}, inputs))
  },
}

/** What the page at /docs is made of. */
const PAGE_FILES = {
  'swagger-ui.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
}

const pageFiles = () =>
  Object.entries(PAGE_FILES).map(([name, path]) => [name, gzipSync(readFileSync(path), { level: 9 })] as const)

/**
 * They are the last line of the bundle. The executable has them as assets of its own and goes without that line,
 * so that no process holds them before somebody looks at the page.
 */
const LAST_LINE = '\nfunction pageFiles() {'

const withPageFiles: Plugin = {
  name: 'with page files',
  setup({ onLoad }) {
    const contents = `
      import { getRawAsset, isSea } from 'node:sea'
      const read = (name) => (isSea() ? new Uint8Array(getRawAsset(name)) : Buffer.from(pageFiles()[name], 'base64'))
      export const script = read('swagger-ui.js')
      export const style = read('swagger-ui.css')`
    onLoad({ filter: /internal.handler.docs-files\.ts$/ }, () => ({ contents }))
  },
}

/** The service as one CommonJS file. `plugins` come before the bundle's own. */
export async function bundle(outfile: string, plugins: readonly Plugin[] = []): Promise<Metafile> {
  const encoded = pageFiles().map(([name, content]) => [name, content.toString('base64')])
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: ['src/main.ts'],
    outfile,
    sourcemap: 'external',
    plugins: [...plugins, replaced, inOneFunction, loadedLater, withPageFiles],
    footer: { js: `${LAST_LINE}return${JSON.stringify(Object.fromEntries(encoded))}}` },
    define: { BUILD_INFO: JSON.stringify(readBuildInfo()) },
    // Optional parts of pg, asked for inside a try or never: a native driver and another platform's sockets.
    external: ['pg-native', 'pg-cloudflare'],
  })
  return metafile
}

async function server(): Promise<void> {
  const metafile = await bundle('dist/server.cjs')
  writeFileSync('dist/THIRD_PARTY_LICENSES', licenses([...Object.keys(metafile.inputs), ...Object.values(PAGE_FILES)]))
  const bytes = metafile.outputs['dist/server.cjs']?.bytes ?? 0
  console.error(`dist/server.cjs ${(bytes / 1e6).toFixed(2)} MB`)
}

/** The licence texts of every package with one of these files, and of Node, which the executable contains. */
function licenses(paths: readonly string[]): string {
  const directories = new Set(paths.flatMap((path) => /^node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []))
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
  // What a start allocates would be collected thrice in a young generation of 1 MB.
  '--min-semi-space-size=4',
  // Under load a third of the memory would be garbage, for 3% of speed.
  '--max-semi-space-size=8',
]

function executable(target: string | undefined): void {
  const output = target === undefined ? 'dist/app' : `dist/app-${target}${target.startsWith('win-') ? '.exe' : ''}`
  const parts = mkdtempSync('dist/executable-')
  const bundle = join(parts, 'bundle')
  const config = join(parts, 'sea.json')
  // esbuild escapes all but ASCII, so each byte is a character and V8 keeps it at that.
  const [code] = readFileSync('dist/server.cjs', 'latin1').split(LAST_LINE)
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
