import { fstatSync, writeSync } from 'node:fs'

export interface OutputOptions {
  /** @default 1, standard output */
  readonly fd?: number
  /** What is written at once, but for a single line that is longer. @default 4096, which a pipe takes whole or not at all, so that the lines of several processes do not mix */
  readonly bufferBytes?: number
  /** And for so long at most, in milliseconds. @default 100 */
  readonly bufferMs?: number
  /** What is kept while the output takes nothing; lines beyond it are dropped. @default 1 MiB */
  readonly maxBytes?: number
  /** How long `flushSync` tries, in milliseconds. @default 1_000 */
  readonly giveUpMs?: number
  /** The output takes lines again, and so many did not reach it. */
  readonly onDropped?: (lines: number) => void
}

export interface Output {
  /** A line with its end. Never waits and never throws. */
  write(line: string): void
  /** Writes what there is before it returns. Gives up after `giveUpMs`. */
  flushSync(): void
}

/** Pause before the next try, in milliseconds: a reader that is slow is soon ready again, a disk that is full is not. */
const RETRY_MS = 5
const RETRY_AFTER_ERROR_MS = 1_000

/**
 * Writes lines without ever waiting for the output. A line that comes alone is written at once, those that follow it
 * closely are collected. While the output takes nothing (a pipe that nobody reads, a full disk) lines wait here, and
 * beyond `maxBytes` they are dropped and counted. A process that is killed loses what was collected.
 */
export function createOutput(options: OutputOptions = {}): Output {
  const { fd = 1, bufferBytes = 4096, bufferMs = 100, maxBytes = 1024 * 1024, giveUpMs = 1_000, onDropped } = options
  let lines = ''
  /** What is to be written before them. */
  const waiting: Buffer[] = []
  let waitingBytes = 0
  let dropped = 0
  let blocked = false
  /** Runs for as long as lines are collected. */
  let timer: NodeJS.Timeout | undefined

  if (fd === 1) withoutWaiting()

  /** From that byte on: whole lines, so many at a time that a pipe takes them whole; a line that is longer alone. */
  function wait(text: string, from = 0): void {
    const bytes = Buffer.from(text)
    for (let start = from, end = 0; start < bytes.length; start = end) {
      const last =
        start + bufferBytes >= bytes.length ? bytes.length - 1 : bytes.lastIndexOf('\n', start + bufferBytes - 1)
      end = (last < start ? bytes.indexOf('\n', start) : last) + 1
      waiting.push(bytes.subarray(start, end))
    }
    waitingBytes += bytes.length - from
  }

  /** Writes until all is written or the output takes no more; the error's code says why. */
  function writeOut(): string | undefined {
    try {
      const bytes = Buffer.byteLength(lines)
      // As text, where they can go at once: to encode each line as it comes takes as long as to make it.
      const written = waiting.length === 0 && bytes > 0 && bytes <= bufferBytes ? writeSync(fd, lines) : 0
      if (written < bytes) wait(lines, written)
      lines = ''
      for (let chunk = waiting[0]; chunk !== undefined; chunk = waiting[0]) {
        const taken = writeSync(fd, chunk)
        waitingBytes -= taken
        if (taken === chunk.length) waiting.shift()
        else waiting[0] = chunk.subarray(taken)
      }
      return undefined
    } catch (error) {
      wait(lines)
      lines = ''
      return (error as NodeJS.ErrnoException).code ?? 'unknown'
    }
  }

  function sayDropped(): void {
    const count = dropped
    dropped = 0
    if (count > 0) onDropped?.(count)
  }

  function flush(): void {
    const error = writeOut()
    blocked = error !== undefined
    clearTimeout(timer)
    timer = setTimeout(ended, blocked ? (error === 'EAGAIN' ? RETRY_MS : RETRY_AFTER_ERROR_MS) : bufferMs)
    timer.unref()
    if (!blocked) sayDropped()
  }

  function ended(): void {
    timer = undefined
    if (blocked || lines !== '') flush()
  }

  return {
    write(line) {
      if (waitingBytes + lines.length + line.length > maxBytes) {
        dropped++
        return
      }
      if (lines.length + line.length > bufferBytes && !blocked) flush()
      lines += line
      if (timer === undefined) flush()
    },
    flushSync() {
      const giveUpAt = performance.now() + giveUpMs
      const never = new Int32Array(new SharedArrayBuffer(4))
      while (writeOut() === 'EAGAIN' && performance.now() < giveUpAt) Atomics.wait(never, 0, 0, RETRY_MS)
      if (waiting.length > 0) return
      sayDropped()
      writeOut()
    },
  }
}

/** A write to a pipe or a socket waits for its reader, until Node has opened its own stream for it. */
function withoutWaiting(): void {
  try {
    const kind = fstatSync(1)
    if (kind.isFIFO() || kind.isSocket()) void process.stdout
  } catch {
    // It is closed, and every write will say so.
  }
}
