import { fstatSync, writeSync } from 'node:fs'

export interface OutputOptions {
  /** @default 1 */
  readonly fd?: number
  /**
   * The maximum size of one write, unless a single line is longer. A pipe accepts 4096 bytes as a whole or not at all.
   * @default 4096
   */
  readonly bufferBytes?: number
  /** The maximum time that a line stays in the buffer, in milliseconds. @default 100 */
  readonly bufferMs?: number
  /** The maximum size of the lines that wait while the output is blocked. Further lines are dropped. @default 1 MiB */
  readonly maxBytes?: number
  /** How long `flushSync` retries, in milliseconds. @default 1_000 */
  readonly giveUpMs?: number
  /** Receives the number of dropped lines once the output accepts lines again. */
  readonly onDropped?: (lines: number) => void
}

/** The pause before a retry, in milliseconds. A slow reader catches up soon; a full disk stays full for longer. */
const RETRY_MS = 5
const RETRY_AFTER_ERROR_MS = 1_000

/**
 * Writes lines and never blocks the event loop. A single line is written at once; lines that follow within `bufferMs` are
 * written together. While the output is blocked (a full pipe or a full disk), lines wait in memory. Lines beyond `maxBytes`
 * are dropped and counted. A killed process loses the lines in the buffer.
 */
export function createOutput(options: OutputOptions = {}) {
  const { fd = 1, bufferBytes = 4096, bufferMs = 100, maxBytes = 1024 * 1024, giveUpMs = 1_000, onDropped } = options
  let lines = ''
  /** Chunks that the output has not accepted yet. They precede `lines`. */
  const waiting: Buffer[] = []
  let waitingBytes = 0
  let dropped = 0
  let reported = 0
  let blocked = false
  /** Set while lines are collected or the output is blocked. */
  let timer: NodeJS.Timeout | undefined

  if (fd === 1) unblockStdout()

  /** Queues the text from byte `from` on. Each chunk has whole lines of at most `bufferBytes`, or one longer line. */
  function queue(text: string, from = 0): void {
    const bytes = Buffer.from(text)
    for (let start = from, end = 0; start < bytes.length; start = end) {
      const fits = start + bufferBytes >= bytes.length
      const last = fits ? bytes.length - 1 : bytes.lastIndexOf('\n', start + bufferBytes - 1)
      end = (last < start ? bytes.indexOf('\n', start) : last) + 1
      waiting.push(bytes.subarray(start, end))
    }
    waitingBytes += bytes.length - from
  }

  /** Writes until every line is written or a write fails. Returns the code of that error. */
  function writeOut(): string | undefined {
    try {
      const bytes = Buffer.byteLength(lines)
      // Encode whole batches: encoding each line takes as long as rendering it.
      const written = waiting.length === 0 && bytes > 0 && bytes <= bufferBytes ? writeSync(fd, lines) : 0
      if (written < bytes) queue(lines, written)
      lines = ''
      for (let chunk = waiting[0]; chunk !== undefined; chunk = waiting[0]) {
        const taken = writeSync(fd, chunk)
        waitingBytes -= taken
        if (taken === chunk.length) waiting.shift()
        else waiting[0] = chunk.subarray(taken)
      }
      return undefined
    } catch (error) {
      queue(lines)
      lines = ''
      return (error as NodeJS.ErrnoException).code ?? 'unknown'
    }
  }

  function reportDropped(): void {
    const count = dropped - reported
    reported = dropped
    if (count > 0) onDropped?.(count)
  }

  function flush(): void {
    const error = writeOut()
    blocked = error !== undefined
    const retryMs = error === 'EAGAIN' ? RETRY_MS : RETRY_AFTER_ERROR_MS
    clearTimeout(timer)
    timer = setTimeout(onTimer, blocked ? retryMs : bufferMs)
    timer.unref()
    if (!blocked) reportDropped()
  }

  function onTimer(): void {
    timer = undefined
    if (blocked || lines !== '') flush()
  }

  return {
    /** Takes one line with its line feed. Never blocks and never throws. */
    write(line: string): void {
      // Flush before the check of the limit, which a full buffer may reach while the output accepts lines.
      if (lines.length + line.length > Math.min(bufferBytes, maxBytes) && !blocked) flush()
      if (waitingBytes + lines.length + line.length > maxBytes) {
        dropped++
        return
      }
      lines += line
      if (timer === undefined) flush()
    },
    /** Returns the number of dropped lines, including lines dropped since the output was blocked. */
    dropped: () => dropped,
    /** Writes all lines before it returns. Gives up after `giveUpMs`. */
    flushSync(): void {
      const giveUpAt = performance.now() + giveUpMs
      const neverNotified = new Int32Array(new SharedArrayBuffer(4))
      while (writeOut() === 'EAGAIN' && performance.now() < giveUpAt) Atomics.wait(neverNotified, 0, 0, RETRY_MS)
      if (waiting.length > 0) return
      reportDropped()
      writeOut()
    },
  }
}

/** Puts a pipe or a socket into non-blocking mode, as a side effect of creating Node's own stream for it. */
function unblockStdout(): void {
  try {
    const kind = fstatSync(1)
    if (kind.isFIFO() || kind.isSocket()) void process.stdout
  } catch {
    // Standard output is closed. Each write will fail.
  }
}
