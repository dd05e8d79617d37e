import { chmodSync, chownSync } from 'node:fs'
import { unprivilegedUser } from '../../scripts/services/service.ts'
import { temporaryDirectory } from './temporary.ts'

/** A directory of a user without rights, and how to start a program as that user. */
export function unprivileged(name: string) {
  const directory = temporaryDirectory(name)
  chmodSync(directory, 0o755)
  if (unprivilegedUser) chownSync(directory, unprivilegedUser.uid, unprivilegedUser.gid)
  return { directory, spawnOptions: { cwd: directory, ...unprivilegedUser } }
}
