import { chmodSync, chownSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unprivilegedUser } from '../../scripts/services/service.ts'

/** A directory of a user without rights, and how to start a program as that user. */
export function unprivileged(prefix: string) {
  const directory = mkdtempSync(join(tmpdir(), prefix))
  chmodSync(directory, 0o755)
  if (unprivilegedUser) chownSync(directory, unprivilegedUser.uid, unprivilegedUser.gid)
  return { directory, spawnOptions: { cwd: directory, ...unprivilegedUser } }
}
