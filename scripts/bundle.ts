import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build, formatMessages, type Metafile, type Plugin } from 'esbuild'
import type { BuildInfo } from '#internal/build-info.ts'
import { loadLater } from './load-later.ts'

/** Modules that packages ask for at their start and use later, if at all (docs/performance.md). */
const LOADED_LATER = ['http-errors', 'iconv-lite', 'mime-types', 'qs', 'statuses', 'crypto', 'node:crypto', 'node:zlib']

/** The files of the page at /docs. */
export const PAGE_FILES = {
  'swagger-ui-bundle.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
}

export const compressPageFiles = () =>
  Object.entries(PAGE_FILES).map(([name, path]) => [name, gzipSync(readFileSync(path), { level: 9 })] as const)

/**
 * Starts the last line of the bundle: the function that internal/handler/docs-page.ts calls. The executable has the
 * files as assets and goes without that line, so that no process keeps them in memory.
 */
export const LAST_LINE = '\nfunction pageFiles() {'

const git = (...args: string[]) =>
  execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

/** Reads git, or COMMIT and SOURCE_DATE_EPOCH where there is no history, as in an image build. */
function readBuildInfo(): BuildInfo {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
  let { COMMIT: commit, SOURCE_DATE_EPOCH: epoch } = process.env
  try {
    commit ||= git('rev-parse', '--short=12', 'HEAD') + (git('status', '--porcelain') === '' ? '' : '-dirty')
    epoch ||= git('log', '-1', '--format=%ct')
  } catch {
    // Not a checkout: an archive, or an image's build stage without the arguments.
  }
  const time = epoch ? new Date(Number(epoch) * 1000).toISOString() : 'unknown'
  return { name, version, commit: commit || 'unknown', time }
}

/** Writes the service as one CommonJS file. `plugins` come before the bundle's own. @throws with the mistakes in the code */
export async function bundle(outfile: string, plugins: readonly Plugin[] = []): Promise<Metafile> {
  const encoded = compressPageFiles().map(([name, content]) => [name, content.toString('base64')])
  const { metafile, warnings } = await build({
    bundle: true,
    platform: 'node',
    target: 'node24',
    format: 'cjs',
    // The executable compiles the bundle as a script, in which `import()` of Node's own modules does not work.
    supported: { 'dynamic-import': false },
    // Keep identifiers: stack traces and logged errors show the names of functions and classes. The alternative,
    // `keepNames`, defines a name for each closure that a request creates.
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'none',
    metafile: true,
    logLevel: 'silent',
    entryPoints: ['src/main.ts'],
    outfile,
    sourcemap: 'external',
    plugins: [...plugins, loadLater(LOADED_LATER)],
    footer: { js: `${LAST_LINE}return${JSON.stringify(Object.fromEntries(encoded))}}` },
    define: { BUILD_INFO: JSON.stringify(readBuildInfo()), 'import.meta.url': '__filename' },
    // Optional parts of pg: a native driver, and sockets for another platform.
    external: ['pg-native', 'pg-cloudflare'],
  })
  for (const warning of await formatMessages(warnings, { kind: 'warning' })) console.warn(warning)
  return metafile
}
