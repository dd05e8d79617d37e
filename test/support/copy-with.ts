import { chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { unprivilegedUser } from '../../scripts/services/service.ts'

/** A copy of a folder of deploy/ with changes that an operator makes. @throws when a text to change is not there */
export function copyWith(
  folder: string,
  to: string,
  changes: Readonly<Record<string, readonly [string, string][]>>,
): void {
  mkdirSync(to)
  if (unprivilegedUser) chownSync(to, unprivilegedUser.uid, unprivilegedUser.gid)
  for (const file of readdirSync(folder)) {
    let content = readFileSync(join(folder, file), 'utf8')
    for (const [from, by] of changes[file] ?? []) {
      if (content.split(from).length !== 2) throw new Error(`${folder}/${file} has «${from}» not once`)
      content = content.replace(from, by)
    }
    writeFileSync(join(to, file), content)
  }
}
