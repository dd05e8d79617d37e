import { chmodSync, chownSync } from 'node:fs'
import { unprivilegedUser } from '../../../scripts/services/service.ts'
import { temporaryDirectory } from '../temporary.ts'

/**
 * Creates a directory for an unprivileged user. @returns the directory, and the options that start a program as this
 * user
 */
export function unprivileged(name: string) {
  const directory = temporaryDirectory(name)
  chmodSync(directory, 0o755)
  if (unprivilegedUser) chownSync(directory, unprivilegedUser.uid, unprivilegedUser.gid)
  return { directory, spawnOptions: { cwd: directory, ...unprivilegedUser } }
}
