import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, relative } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild'
import type { BuildInfo } from '#internal/build-info.ts'

const root = dirname(import.meta.dirname)

/** What a start and a plain request do not need: without this the first answer takes a third longer (docs/performance.md). */
const LOADED_LATER = ['http-errors', 'iconv-lite', 'mime-types', 'qs', 'statuses', 'crypto', 'node:crypto', 'node:zlib']

/** What of these lists has been found. */
const used = new Set<unknown>()

/** Each of these is loaded when it is first used, wherever a CommonJS package asks for it. */
const loadedLater: Plugin = {
  name: 'loaded later',
  setup({ onResolve, onLoad, resolve }) {
    const filter = new RegExp(`^(${LOADED_LATER.join('|')})$`)
    const namespace = 'loaded later'
    onResolve({ filter }, async ({ path, kind, resolveDir, namespace: from }) => {
      if (kind !== 'require-call' || from === namespace) return undefined
      used.add(path)
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

/** Files of packages that cost more than they are worth here, and what becomes of them. */
const REPLACED: readonly (readonly [file: RegExp, contents: (text: string) => string])[] = [
  // What Express's packages tell people who develop with them: `make dev` shows it. In production nobody sees it, and it
  // looks at the terminal and at the stack at each start, and is called a dozen times by each request.
  [/debug.src.index\.js$/, () => 'module.exports = () => () => {}'],
  [/depd.index\.js$/, () => 'module.exports = () => Object.assign(() => {}, { function: (fn) => fn, property() {} })'],
  // Beside the files that have called it pino looks for transports, and one file has none. To name it, V8 counts all its lines.
  [/pino.lib.caller\.js$/, () => 'module.exports = () => []'],
  // JSON is in a Unicode charset, and anything else is refused before it is decoded: the tables of all others are 0.45 MB.
  [/iconv-lite.encodings.(tables.[\w-]+\.json|sbcs-data-generated\.js)$/, () => 'module.exports = {}'],
  // The client of Redis gives a prototype a thousand methods. For each one V8 copies its list of all the others, unless
  // the prototype has become a dictionary, as it does when it loses something: a start with Redis takes half as long again.
  [
    /@redis.client.dist.lib.commander\.js$/,
    replacing(
      /(?=for \(const \[name, command\] of Object\.entries\(commands\)\) \{\s+Class\.prototype)/,
      'Class.prototype.none = 0; delete Class.prototype.none; ',
    ),
  ],
]

function replacing(part: RegExp, by: string) {
  return (text: string) => {
    if (!part.test(text)) throw new Error(`nothing there is like ${part.source}`)
    return text.replace(part, by)
  }
}

const replaced: Plugin = {
  name: 'replaced',
  setup({ onLoad }) {
    for (const [file, contents] of REPLACED) {
      onLoad({ filter: new RegExp(`node_modules.${file.source}`) }, ({ path }) => {
        used.add(file)
        return { contents: contents(readFileSync(path, 'utf8')), loader: 'js' }
      })
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
        plugins: [replaced, loadedLater],
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
export const PAGE_FILES = {
  'swagger-ui.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
}

export const pageFiles = () =>
  Object.entries(PAGE_FILES).map(([name, path]) => [name, gzipSync(readFileSync(path), { level: 9 })] as const)

/**
 * They are the last line of the bundle. The executable has them as assets of its own and goes without that line,
 * so that no process holds them before somebody looks at the page.
 */
export const LAST_LINE = '\nfunction pageFiles() {'

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
  // A package that has moved its files, or asks for others.
  const unused = [...LOADED_LATER, ...REPLACED.map(([file]) => file)].filter((each) => !used.has(each))
  if (unused.length > 0) throw new Error(`nothing in the bundle is ${unused.join(' or ')}`)
  return metafile
}
