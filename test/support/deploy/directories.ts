import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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

/** The files to copy, with the texts that an operator replaces in each file. */
type Changes = Readonly<Record<string, readonly (readonly [from: string, to: string])[]>>

/** Copies configuration files from a folder of deploy/. @throws when a file does not contain a text exactly once */
export function copyWith(folder: string, to: string, changes: Changes): void {
  mkdirSync(to)
  if (unprivilegedUser) chownSync(to, unprivilegedUser.uid, unprivilegedUser.gid)
  for (const [file, replacements] of Object.entries(changes)) {
    let content = readFileSync(join(folder, file), 'utf8')
    for (const [from, by] of replacements) {
      if (content.split(from).length !== 2) throw new Error(`${folder}/${file} does not contain «${from}» exactly once`)
      content = content.replace(from, by)
    }
    writeFileSync(join(to, file), content)
  }
}
