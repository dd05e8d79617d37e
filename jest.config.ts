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
      testPathIgnorePatterns: ['<rootDir>/test/(release|restart|proxies|browser)/'],
    },
    { ...common, displayName: 'deploy', roots: ['<rootDir>/deploy'] },
    { ...common, displayName: 'release', roots: ['<rootDir>/test/release'] },
    { ...common, displayName: 'browser', roots: ['<rootDir>/test/browser'] },
    { ...common, displayName: 'restart', roots: ['<rootDir>/test/restart'] },
    { ...common, displayName: 'proxies', roots: ['<rootDir>/test/proxies'] }, // [only nginx haproxy envoy dns]
  ],
  testTimeout: 30_000,
} satisfies Config
