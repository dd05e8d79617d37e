import { spawnSync } from 'node:child_process'
import { delimiter } from 'node:path'

/** Finds an executable on the PATH or in a system directory that the PATH may lack. */
export function findOnPath(name: string): string | undefined {
  const PATH = [process.env['PATH'], '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin'].join(delimiter)
  const { stdout } = spawnSync('sh', ['-c', 'command -v "$0"', name], { env: { PATH }, encoding: 'utf8' })
  return stdout.trim() || undefined
}
