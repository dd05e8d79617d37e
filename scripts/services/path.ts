import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** The first executable of this name on the PATH. */
export function findOnPath(name: string): string | undefined {
  // Where Debian and its like keep servers, which a user's PATH may leave out.
  const directories = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    '/usr/sbin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
  ]
  return directories
    .map((directory) => join(directory, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}
