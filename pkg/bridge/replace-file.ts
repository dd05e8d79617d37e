import { open, rename, rm } from 'node:fs/promises'

/**
 * Replaces a file in one step. A reader sees the old or the new text, also after a crash of the machine. The temporary
 * file is in the same directory, because a rename works only within a file system.
 * @throws the error of the file system; the old file stays
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.new`
  try {
    const file = await open(temporary, 'w', 0o644)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {})
    throw error
  }
}
