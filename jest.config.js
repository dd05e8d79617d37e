import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import vm from 'node:vm'

/*
 * The tests need a Node that strips types, with a flag for modules. `npx jest` and editors start jest with the Node of
 * the machine and without the flag, so start it again as `make unit` does. The file is JavaScript, because an older Node
 * reads it.
 */
const isReady = 'SourceTextModule' in vm && Boolean(process.features.typescript)
if (!isReady && /jest(\.js)?$/.test(process.argv[1] ?? '')) {
  const pinned = join(import.meta.dirname ?? process.cwd(), '.toolchain/bin/node')
  const node = existsSync(pinned) ? pinned : process.execPath
  if (node === process.execPath && !process.features.typescript) {
    throw new Error(`jest needs Node 24 or later, but this is ${process.version}: \`make unit\` fetches and uses it`)
  }
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const { status } = spawnSync(node, [...flags, ...process.argv.slice(1)], { stdio: 'inherit' })
  process.exit(status ?? 1)
}

/** Tests of a resource that take more than a minute. */
const DATABASE = '/test/[^/]+/(exactly-once/|pgbouncer)'

/** Tests of service discovery with real registries. */
const DISCOVERY = '/deploy/[^/]+/discovery[.]test[.]ts$'

/** Folders that a service may delete: jest rejects missing roots. */
const existing = (...folders) => folders.filter((folder) => existsSync(folder)).map((folder) => `<rootDir>/${folder}`)

/** A pattern that matches this folder, such as `c++ (copy)`. jest does not escape `<rootDir>` in a pattern. */
const root = (import.meta.dirname ?? process.cwd()).replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Node strips the types, so the tests run the source without a transform.
  transform: { '\\.ts$': '<rootDir>/test/support/strip-types.mjs' },
  modulePathIgnorePatterns: [`${root}/(dist|\\.toolchain|\\.local)`],
}

/** @type {import('jest').Config} */
export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      roots: existing('config', 'internal', 'pkg', 'src', 'scripts', 'bench', 'chaos', 'load'),
      testPathIgnorePatterns: [`${root}/(chaos|load)/test/`],
    },
    {
      ...common,
      displayName: 'e2e',
      roots: ['<rootDir>/test'],
      testPathIgnorePatterns: [`${root}/test/(release|restart|browser)/`, DATABASE],
    },
    ...(existsSync('deploy')
      ? [
          { ...common, displayName: 'deploy', roots: ['<rootDir>/deploy'], testPathIgnorePatterns: [DISCOVERY] },
          { ...common, displayName: 'discovery', roots: ['<rootDir>/deploy'], testRegex: DISCOVERY },
        ]
      : []),
    ...(existing('chaos/test', 'load/test').length > 0
      ? [{ ...common, displayName: 'stability', roots: existing('chaos/test', 'load/test') }]
      : []),
    { ...common, displayName: 'database', roots: ['<rootDir>/test'], testRegex: `${DATABASE}.*\\.test\\.ts$` },
    ...['release', 'browser', 'restart'].flatMap((displayName) => {
      const roots = existing(`test/${displayName}`)
      return roots.length > 0 ? [{ ...common, displayName, roots }] : []
    }),
  ],
  testTimeout: 30_000,
  coverageProvider: 'v8',
  coverageDirectory: 'coverage',
  coverageReporters: ['text-summary', 'html', 'lcovonly'],
  collectCoverageFrom: ['{src,config,internal,pkg,scripts}/**/*.ts', '!**/*.test.ts'],
}
