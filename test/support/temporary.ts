import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from './hooks.ts'

const made: string[] = []

/** Creates a directory that is removed when the test file, or the process of a command, has ended. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`))
  made.push(directory)
  return directory
}

afterAll(() => {
  // A process that is ending may still write to its directory.
  for (const directory of made) rmSync(directory, { recursive: true, force: true, maxRetries: 20 })
})
