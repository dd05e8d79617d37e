import { appendFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/*
 * node chaos/faults/disk.ts fill DIRECTORY  writes a file until the disk is full
 * node chaos/faults/disk.ts free DIRECTORY  removes this file
 */

const [action, directory = ''] = process.argv.slice(2)
const file = join(directory, 'filler')

/** Appends zeros in smaller and smaller chunks, until no byte is left. */
function fill(): void {
  for (let bytes = 64 * 1024; bytes >= 1; ) {
    try {
      appendFileSync(file, Buffer.alloc(bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      bytes = Math.floor(bytes / 2)
    }
  }
}

if (action === 'fill') fill()
else if (action === 'free') rmSync(file, { force: true })
else throw new Error('usage: disk.ts fill|free DIRECTORY')
