import { spawnSync } from 'node:child_process'
import { delimiter } from 'node:path'

/** Finds an executable on the PATH or in a directory of servers, which the PATH of a user may leave out. */
export function findOnPath(name: string): string | undefined {
  const PATH = [process.env['PATH'], '/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin'].join(delimiter)
  const { stdout } = spawnSync('sh', ['-c', 'command -v "$0"', name], { env: { PATH }, encoding: 'utf8' })
  return stdout.trim() || undefined
}
