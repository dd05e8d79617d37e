import { spawnSync } from 'node:child_process'
import { delimiter } from 'node:path'

/** Directories of system tools, of Go's installer and of Homebrew. */
const DIRECTORIES = ['/usr/sbin', '/usr/local/bin', '/usr/local/go/bin', '/opt/homebrew/bin']

/** Finds an executable on the PATH or in a directory that the PATH may lack. */
export function findOnPath(name: string): string | undefined {
  const PATH = [process.env['PATH'], ...DIRECTORIES].join(delimiter)
  const { stdout } = spawnSync('sh', ['-c', 'command -v "$0"', name], { env: { PATH }, encoding: 'utf8' })
  return stdout.trim() || undefined
}
