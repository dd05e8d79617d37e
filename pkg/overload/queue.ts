import { PRIORITIES, type Priority } from './priority.ts'

/** Order of entries: by priority, then by arrival. */
export interface Queue<T> {
  readonly size: number
  push(priority: Priority, entry: T): void
  /** Removes the first entry of the highest priority. */
  shift(): T | undefined
  /** Removes entries from the front of each priority as long as `isExpired` holds. */
  expire(isExpired: (entry: T) => boolean, onExpired: (entry: T) => void): void
}

interface Line<T> {
  /** The entries from `head` to `tail`. An empty line keeps the array, so that the next request allocates none. */
  readonly entries: (T | undefined)[]
  head: number
  tail: number
}

export function createQueue<T>(): Queue<T> {
  const lines = PRIORITIES.map((): Line<T> => ({ entries: [], head: 0, tail: 0 }))
  const byPriority = Object.fromEntries(PRIORITIES.map((priority, index) => [priority, lines[index]]))
  let size = 0

  function shiftLine(line: Line<T>): T {
    const entry = line.entries[line.head] as T
    line.entries[line.head++] = undefined
    size--
    if (line.head === line.tail) line.head = line.tail = 0
    else if (line.head === 1024) {
      line.entries.splice(0, line.head)
      line.tail -= line.head
      line.head = 0
    }
    return entry
  }

  return {
    get size() {
      return size
    },
    push(priority, entry) {
      const line = byPriority[priority]
      if (line === undefined) return
      line.entries[line.tail++] = entry
      size++
    },
    shift() {
      if (size === 0) return undefined
      for (const line of lines) if (line.head < line.tail) return shiftLine(line)
      return undefined
    },
    expire(isExpired, onExpired) {
      for (const line of lines) {
        while (line.head < line.tail && isExpired(line.entries[line.head] as T)) onExpired(shiftLine(line))
      }
    },
  }
}
