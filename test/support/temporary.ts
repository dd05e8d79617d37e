import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const made: string[] = []

/** Creates a directory that is removed when the test file, or the process of a command, has ended. */
export function temporaryDirectory(name: string): string {
  const directory = mkdtempSync(join(tmpdir(), `${name}-`))
  made.push(directory)
  return directory
}

function removeAll(): void {
  for (const directory of made) rmSync(directory, { recursive: true, force: true })
}

// Commands such as `make load` use the starters of the tests, and jest rejects an import outside of its tests.
if ('afterAll' in globalThis) (await import('@jest/globals')).afterAll(removeAll)
else process.once('exit', removeAll)
