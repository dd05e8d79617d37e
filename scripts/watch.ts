import { type FSWatcher, readdirSync, watch } from 'node:fs'
import { join } from 'node:path'

export interface WatchOptions {
  /** Folders to watch, with their subfolders. */
  readonly folders: readonly string[]
  /** Names of files in the current directory. */
  readonly files: readonly string[]
}

export interface Changes {
  /** Resolves with the path of the next changed file, 30 ms after the last of several changes. */
  next(): Promise<string>
}

/** A save writes several files, and one file in several steps. */
const QUIET_MS = 30

/** Tests are no part of the service. Editors write backups and temporary files beside the file that they save. */
const isSource = (file: string) => /\.(ts|json|sql)$/.test(file) && !/\.test\.ts$|^[.#]/.test(file)

/**
 * Watches the sources. Watches directories, because a watch on a file ends when an editor replaces the file. The watch
 * does not keep the process running.
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

  function watchDirectory(directory: string, matches: (file: string) => boolean): void {
    if (watched.has(directory)) return
    const watcher = watch(directory, (_event, file) => {
      if (file !== null && matches(file)) report(join(directory, file))
      // A new folder arrives with its files.
      else if (file !== null && !file.includes('.') && directory !== '.') watchFolder(directory)
    })
    const forget = () => {
      watcher.close()
      watched.delete(directory)
    }
    watcher.on('error', forget)
    watched.set(directory, watcher)
  }

  function watchFolder(folder: string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (entry.isDirectory()) watchDirectory(join(entry.parentPath, entry.name), isSource)
    }
    watchDirectory(folder, isSource)
  }

  watchDirectory('.', (file) => files.includes(file))
  folders.forEach(watchFolder)
  return {
    next: () =>
      new Promise((resolve) => {
        waiting = resolve
        if (timer === undefined) deliver()
      }),
  }
}
