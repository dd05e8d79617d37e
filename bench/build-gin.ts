import { resolve } from 'node:path'
import { findOnPath } from '../scripts/services/path.ts'
import { run } from '../test/support/run.ts'

/** Builds a peer in Go. Resolves with false when Go is not installed or its modules cannot be fetched. */
export async function buildGin(folder: string, outfile: string): Promise<boolean> {
  const go = findOnPath('go')
  if (go === undefined) return false
  const { code } = await run(go, ['-C', folder, 'build', '-o', resolve(outfile), '.'])
  return code === 0
}
