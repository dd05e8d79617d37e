import { existsSync } from 'node:fs'
import type { Config } from 'jest'

/** Tests of a resource that take more than a minute. */
const DATABASE = '/test/[^/]+/(exactly-once/|pgbouncer)'

/** Tests of service discovery with real registries. */
const DISCOVERY = '/deploy/[^/]+/discovery[.]test[.]ts$'

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Node strips the types, so the tests run the source without a transform.
  transform: { '\\.ts$': '<rootDir>/test/support/strip-types.mjs' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.toolchain', '<rootDir>/.local'],
}

export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      roots: ['config', 'internal', 'pkg', 'src', 'scripts', 'bench'].map((folder) => `<rootDir>/${folder}`),
    },
    {
      ...common,
      displayName: 'e2e',
      roots: ['<rootDir>/test'],
      testPathIgnorePatterns: ['<rootDir>/test/(release|restart|browser)/', DATABASE],
    },
    // Jest rejects missing roots, and a service without a deployment has no such folder.
    ...(existsSync('deploy')
      ? [
          { ...common, displayName: 'deploy', roots: ['<rootDir>/deploy'], testPathIgnorePatterns: [DISCOVERY] },
          { ...common, displayName: 'discovery', roots: ['<rootDir>/deploy'], testRegex: DISCOVERY },
        ]
      : []),
    { ...common, displayName: 'database', roots: ['<rootDir>/test'], testRegex: `${DATABASE}.*\\.test\\.ts$` },
    { ...common, displayName: 'release', roots: ['<rootDir>/test/release'] },
    { ...common, displayName: 'browser', roots: ['<rootDir>/test/browser'] },
    { ...common, displayName: 'restart', roots: ['<rootDir>/test/restart'] },
  ],
  testTimeout: 30_000,
} satisfies Config
