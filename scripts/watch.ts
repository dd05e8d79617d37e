import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { basename, join, sep } from 'node:path'

export interface WatchOptions {
  /** Folders to watch, with their subfolders. */
  readonly folders: readonly string[]
  /** Names of files in the current directory. */
  readonly files: readonly string[]
}

export interface Changes {
  /** Resolves with the path of the next changed file, 30 ms after the last of several changes. */
  next(): Promise<string>
  /** Ends the watch, which otherwise keeps the process running. */
  close(): void
}

/** A save writes several files, and one file in several steps. */
const QUIET_MS = 30

/** Tests are no part of the service. Editors write backups and temporary files beside the file that they save. */
const isSource = (file: string) => /\.(ts|json|sql)$/.test(file) && !/\.test\.ts$|^[.#]/.test(file)

const isFolder = (name: string) => !name.includes('.')

/**
 * Watches the sources. Watches directories, because a watch on a file ends when an editor replaces the file. Node's
 * `recursive` option misses the files of new and replaced folders on Linux (Node 26.10).
 */
export function watchSources({ folders, files }: WatchOptions): Changes {
  const watched = new Map<string, FSWatcher>()
  let timer: NodeJS.Timeout | undefined
  let waiting: ((path: string) => void) | undefined
  /** A change that no caller of `next` has received yet. */
  let pending: string | undefined

  function report(path: string): void {
    pending = path
    clearTimeout(timer)
    timer = setTimeout(deliver, QUIET_MS)
  }

  function deliver(): void {
    timer = undefined
    if (waiting === undefined || pending === undefined) return
    // The change may have added folders.
    folders.forEach(watchFolder)
    waiting(pending)
    waiting = pending = undefined
  }

  function watchDirectory(directory: string, matches: (name: string) => boolean): void {
    if (watched.has(directory)) return
    const watcher = watch(directory, (_event, name) => {
      if (name === null) return
      if (name === basename(directory)) {
        // A directory that is removed or renamed reports its own name.
        forget(directory)
        report(directory)
      } else if (matches(name)) report(join(directory, name))
    })
    watcher.on('error', () => forget(directory))
    watched.set(directory, watcher)
  }

  /** Closes the watches of a folder, because they do not apply to a new folder with the same name. */
  function forget(folder: string): void {
    for (const [directory, watcher] of watched) {
      if (directory !== folder && !directory.startsWith(folder + sep)) continue
      watcher.close()
      watched.delete(directory)
    }
  }

  function watchFolder(folder: string): void {
    try {
      watchDirectory(folder, (name) => isSource(name) || isFolder(name))
      for (const entry of readdirSync(folder, { withFileTypes: true })) {
        if (entry.isDirectory()) watchFolder(join(folder, entry.name))
      }
    } catch (error) {
      // A change of the branch may remove the folder now. Its parent reports a new one.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  watchDirectory('.', (name) => files.includes(name) || folders.includes(name))
  folders.forEach(watchFolder)
  return {
    next: () =>
      new Promise((resolve) => {
        waiting = resolve
        if (timer === undefined) deliver()
      }),
    close() {
      clearTimeout(timer)
      for (const watcher of watched.values()) watcher.close()
      watched.clear()
    },
  }
}
