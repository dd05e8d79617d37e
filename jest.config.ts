import { existsSync } from 'node:fs'
import type { Config } from 'jest'

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Node strips the types itself, here as everywhere: what is tested is what is written.
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
      testPathIgnorePatterns: ['<rootDir>/test/(release|restart|browser)/'],
    },
    // A service without a way of deployment has no such folder, and Jest refuses roots that do not exist.
    ...(existsSync('deploy') ? [{ ...common, displayName: 'deploy', roots: ['<rootDir>/deploy'] }] : []),
    { ...common, displayName: 'release', roots: ['<rootDir>/test/release'] },
    { ...common, displayName: 'browser', roots: ['<rootDir>/test/browser'] },
    { ...common, displayName: 'restart', roots: ['<rootDir>/test/restart'] },
  ],
  testTimeout: 30_000,
} satisfies Config
