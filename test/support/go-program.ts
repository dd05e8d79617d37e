import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'
import { findOnPath } from '../../scripts/services/path.ts'
import { succeed } from './run.ts'

/**
 * Builds a Go program in the user's cache, once for each go.sum. A build takes some minutes.
 *
 * @param module the folder of go.mod and go.sum. @param command the import path of the program
 * @returns the path of the program. @throws when Go is not installed, or when the build fails
 */
export async function buildGoProgram(module: string, command: string): Promise<string> {
  const name = basename(command)
  const sums = readFileSync(join(module, 'go.sum'))
  const cache = join(homedir(), '.cache', `${name}-test`)
  const program = join(cache, createHash('sha256').update(sums).digest('hex').slice(0, 12))
  if (existsSync(program)) return program
  const go = findOnPath('go')
  if (go === undefined) throw new Error(`${name}: Go is not installed`)
  mkdirSync(cache, { recursive: true })
  const directory = mkdtempSync(join(cache, 'new-'))
  try {
    process.stderr.write(`building ${command}, which takes some minutes\n`)
    const output = join(directory, name)
    // -mod=readonly: the sums in go.sum pin every module.
    const args = ['-C', module, 'build', '-mod=readonly', '-trimpath', '-ldflags=-s -w', '-o', output, command]
    await succeed(go, args, { env: { CGO_ENABLED: '0' } })
    // Another test run may have built the program meanwhile.
    if (!existsSync(program)) renameSync(output, program)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return program
}
