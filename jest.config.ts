import type { Config } from 'jest'

const common = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  // Node strips the types itself, here as everywhere: what is tested is what is written.
  transform: { '\\.ts$': '<rootDir>/test/support/strip-types.mjs' },
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/.toolchain', '<rootDir>/.local'],
}

/** What is about Linux's own tools. */
const elsewhere = process.platform === 'linux' ? [] : ['<rootDir>/test/(systemd|socket-activation|supervisor)']

export default {
  projects: [
    {
      ...common,
      displayName: 'unit',
      roots: ['<rootDir>/config', '<rootDir>/internal', '<rootDir>/pkg', '<rootDir>/src'],
    },
    {
      ...common,
      displayName: 'e2e',
      roots: ['<rootDir>/test'],
      testPathIgnorePatterns: ['<rootDir>/test/release', ...elsewhere],
    },
    { ...common, displayName: 'release', roots: ['<rootDir>/test/release'] },
  ],
  testTimeout: 30_000,
} satisfies Config
