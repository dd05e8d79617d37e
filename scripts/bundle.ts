import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { build, formatMessages, type Metafile, type Plugin } from 'esbuild'
import type { BuildInfo } from '#internal/build-info.ts'
import { openGit } from './git.ts'
import { loadLater } from './load-later.ts'

/** Modules that packages require while they load, but use later or never (docs/performance.md). */
const LOADED_LATER = ['http-errors', 'iconv-lite', 'mime-types', 'qs', 'statuses', 'crypto', 'node:crypto', 'node:zlib']

/** The files of the page at /docs. */
export const PAGE_FILES = {
  'swagger-ui-bundle.js': 'node_modules/swagger-ui-dist/swagger-ui-bundle.js',
  'swagger-ui.css': 'node_modules/swagger-ui-dist/swagger-ui.css',
}

export const compressPageFiles = () =>
  Object.entries(PAGE_FILES).map(([name, path]) => [name, gzipSync(readFileSync(path), { level: 9 })] as const)

/**
 * The start of the last line of the bundle, a function that internal/handler/docs-page.ts calls. The executable has
 * the files as assets instead of that line, so its process does not keep them in memory.
 */
export const LAST_LINE = '\nfunction pageFiles() {'

/**
 * Reads COMMIT and SOURCE_DATE_EPOCH, which the build of the image sets. When they are unset, reads the Git history.
 */
function readBuildInfo(): BuildInfo {
  const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
  const git = openGit('.')
  let { COMMIT: commit, SOURCE_DATE_EPOCH: epoch } = process.env
  try {
    commit ||= git(['rev-parse', '--short=12', 'HEAD']) + (git(['status', '--porcelain']) === '' ? '' : '-dirty')
    epoch ||= git(['log', '-1', '--format=%ct'])
  } catch {
    // An archive of the sources has no history.
  }
  const time = epoch ? new Date(Number(epoch) * 1000).toISOString() : 'unknown'
  return { name, version, commit: commit || 'unknown', time }
}

/** Writes the service as one CommonJS file, with further `plugins` of esbuild. @throws with the syntax errors */
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
    entryPoints: ['scripts/executable/entry.ts'],
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
