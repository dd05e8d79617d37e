import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const made: string[] = []

type Hook = (run: () => void) => void

/** Outside of jest, as in `make chaos`, the directories are removed when the process exits. */
const { afterAll = (run) => void process.once('exit', run) } = globalThis as { readonly afterAll?: Hook }

// jest calls the hooks in the order of their registration. The hooks of the test file may use the directories, so the
// microtask registers this hook after them. It is too early for a file with an await at the top level before its hooks.
queueMicrotask(() => afterAll(removeAll))

/** Creates a directory that is removed when the test file, or the process of a command, has ended. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`))
  made.push(directory)
  return directory
}

function removeAll(): void {
  // A process that is ending may still write to its directory.
  for (const directory of made) rmSync(directory, { recursive: true, force: true, maxRetries: 20 })
}

const PARTS = [
  'src',
  'config',
  'internal',
  'pkg',
  'scripts',
  'package.json',
  'tsconfig.json',
  'biome.json',
  '.gitignore',
]

/**
 * Copies the sources, for a test that changes them, or that runs scripts with separate local servers. @returns the root
 */
export function copyTree(name: string): string {
  const root = temporaryDirectory(name)
  for (const part of PARTS) cpSync(part, join(root, part), { recursive: true })
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'))
  return root
}
