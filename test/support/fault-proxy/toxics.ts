import { setTimeout } from 'node:timers/promises'

/*
 * The toxics of Toxiproxy, with its names, attributes and units:
 * https://github.com/Shopify/toxiproxy#toxics
 */

export interface Chunk {
  readonly data: Buffer
  /** Time of arrival, in milliseconds of `performance.now()`. A toxic that delays the chunk moves it. */
  readonly at: number
}

/** A toxic on one direction of one connection, as the toxic sees it. */
export interface Stub {
  /** Passes a chunk to the next toxic. */
  pass(chunk: Chunk): void
  /** Waits, or until the toxic is removed. */
  pause(ms: number): Promise<void>
  /** Closes the connection after the chunks that were passed. */
  close(): void
  /** Closes the connection with a TCP reset. */
  reset(): void
  /** True after the removal of the toxic. Its remaining chunks pass unchanged. */
  readonly isRemoved: () => boolean
}

export interface RunningToxic {
  /** Called for each chunk, after the previous call has resolved. */
  data(chunk: Chunk): Promise<void> | void
  /** Called before the end of the direction. */
  end?(): Promise<void> | void
  removed?(): void
}

export type Attributes = Readonly<Record<string, number>>

interface ToxicType {
  /** Attributes with their defaults. */
  readonly defaults: Attributes
  start(attributes: Attributes, stub: Stub): RunningToxic
}

const read = (attributes: Attributes, name: string) => attributes[name] ?? 0

/** Returns the sizes of the slices of `size` bytes. */
export function slice(size: number, averageSize: number, variation: number): readonly number[] {
  if (size - averageSize <= variation || size < 2) return [size]
  const shift = variation > 0 ? Math.floor(Math.random() * variation * 2) - variation : 0
  const left = Math.min(size - 1, Math.max(1, Math.floor(size / 2) + shift))
  return [...slice(left, averageSize, variation), ...slice(size - left, averageSize, variation)]
}

export const TOXICS: Readonly<Record<string, ToxicType>> = {
  /** Delays each chunk by `latency` ± `jitter` milliseconds. */
  latency: {
    defaults: { latency: 0, jitter: 0 },
    start: (attributes, { pass, pause }) => ({
      async data({ data, at }) {
        const jitter = (2 * Math.random() - 1) * read(attributes, 'jitter')
        const due = at + read(attributes, 'latency') + jitter
        await pause(due - performance.now())
        pass({ data, at: Math.max(due, at) })
      },
    }),
  },

  /** Limits the direction to `rate` kilobytes a second. */
  bandwidth: {
    defaults: { rate: 0 },
    start(attributes, { pass, pause }) {
      const bytesPerMs = read(attributes, 'rate')
      const most = bytesPerMs * 100
      let owedMs = 0
      return {
        async data({ data, at }) {
          if (bytesPerMs <= 0) return pass({ data, at })
          owedMs += data.length / bytesPerMs
          let rest = data
          while (rest.length > most) {
            await pause(100)
            pass({ data: rest.subarray(0, most), at })
            rest = rest.subarray(most)
            owedMs -= 100
          }
          const startedAt = performance.now()
          await pause(owedMs)
          owedMs -= performance.now() - startedAt
          pass({ data: rest, at })
        },
      }
    },
  },

  /**
   * Drops all data, and closes the connection after `timeout` milliseconds without data. With 0, the connection stays
   * open until the toxic is removed.
   */
  timeout: {
    defaults: { timeout: 0 },
    start(attributes, { close }) {
      const timeout = read(attributes, 'timeout')
      const arm = () => (timeout > 0 ? globalThis.setTimeout(close, timeout) : undefined)
      let timer = arm()
      const stop = () => clearTimeout(timer)
      return {
        data() {
          stop()
          timer = arm()
        },
        end: stop,
        removed() {
          stop()
          close()
        },
      }
    },
  },

  /** Resets the connection `timeout` milliseconds after its next data. */
  reset_peer: {
    defaults: { timeout: 0 },
    start(attributes, { pass, pause, reset, isRemoved }) {
      async function data(chunk?: Chunk): Promise<void> {
        await pause(read(attributes, 'timeout'))
        if (!isRemoved()) reset()
        else if (chunk) pass(chunk)
      }
      return { data, end: () => data() }
    },
  },

  /** Sends chunks of `average_size` ± `size_variation` bytes, `delay` microseconds apart. */
  slicer: {
    defaults: { average_size: 0, size_variation: 0, delay: 0 },
    start: (attributes, { pass, pause }) => ({
      async data({ data, at }) {
        let start = 0
        for (const size of slice(data.length, read(attributes, 'average_size'), read(attributes, 'size_variation'))) {
          pass({ data: data.subarray(start, start + size), at })
          start += size
          await pause(read(attributes, 'delay') / 1_000)
        }
      },
    }),
  },

  /** Closes the connection after `bytes` bytes. */
  limit_data: {
    defaults: { bytes: 0 },
    start(attributes, { pass, close }) {
      let left = read(attributes, 'bytes')
      return {
        data({ data, at }) {
          const passed = data.subarray(0, left)
          left -= passed.length
          if (passed.length > 0) pass({ data: passed, at })
          if (left <= 0) close()
        },
      }
    },
  },

  /** Delays the end of the connection by `delay` milliseconds. */
  slow_close: {
    defaults: { delay: 0 },
    start: (attributes, { pass, pause }) => ({ data: pass, end: () => pause(read(attributes, 'delay')) }),
  },
}

/** Waits, unless the signal is aborted. Never rejects. */
export async function pauseUntil(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0 && !signal.aborted) await setTimeout(ms, undefined, { signal }).catch(() => undefined)
}
