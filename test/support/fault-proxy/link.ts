import type { Socket } from 'node:net'
import { type Attributes, type Chunk, pauseUntil, type RunningToxic, type Stub, TOXICS } from './toxics.ts'

export interface Toxic {
  readonly name: string
  readonly type: string
  readonly stream: 'upstream' | 'downstream'
  /** Share of the connections that the toxic affects, from 0 to 1. */
  readonly toxicity: number
  readonly attributes: Attributes
}

interface Stage {
  readonly toxic: Toxic
  push(chunk: Chunk | undefined): void
  remove(): void
}

/** Bytes that wait in the toxics before the link stops reading. */
const MAX_PENDING = 1024 ** 2

/** One direction of a connection, through the toxics of the direction. */
export interface Link {
  add(toxic: Toxic): void
  remove(name: string): void
}

export interface LinkOptions {
  readonly from: Socket
  readonly to: Socket
  /** Toxics of this direction. */
  readonly toxics: readonly Toxic[]
  /** Resets both connections. */
  readonly reset: () => void
}

export function createLink({ from, to, toxics, reset }: LinkOptions): Link {
  const stages: Stage[] = []
  let pending = 0
  let isClosed = false

  function close(): void {
    if (isClosed) return
    isClosed = true
    to.end(() => from.destroy())
  }

  function write(chunk: Chunk | undefined): void {
    if (chunk === undefined) close()
    else if (!isClosed) to.write(chunk.data)
  }

  /** Hands a chunk, or the end, to the first toxic after `stage`. */
  function hand(stage: Stage | undefined, chunk: Chunk | undefined): void {
    const next = stages[stage === undefined ? 0 : stages.indexOf(stage) + 1]
    if (next) next.push(chunk)
    else write(chunk)
  }

  function createStage(toxic: Toxic): Stage {
    const removal = new AbortController()
    const stub: Stub = {
      pass: (chunk) => hand(stage, chunk),
      pause: (ms) => pauseUntil(ms, removal.signal),
      close,
      reset,
      isRemoved: () => removal.signal.aborted,
    }
    const running: RunningToxic | undefined = TOXICS[toxic.type]?.start(toxic.attributes, stub)
    let last: Promise<void> = Promise.resolve()

    async function handle(chunk: Chunk | undefined): Promise<void> {
      if (removal.signal.aborted || running === undefined) return hand(stage, chunk)
      if (chunk !== undefined) return running.data(chunk)
      await running.end?.()
      hand(stage, undefined)
    }

    const stage: Stage = {
      toxic,
      push(chunk) {
        const size = chunk?.data.length ?? 0
        pending += size
        if (pending > MAX_PENDING) from.pause()
        last = last.then(async () => {
          await handle(chunk)
          pending -= size
          if (pending <= MAX_PENDING) from.resume()
        })
      },
      remove() {
        removal.abort()
        running?.removed?.()
        // Later chunks must not overtake the chunks of this stage.
        last = last.then(() => void stages.splice(stages.indexOf(stage), 1))
      },
    }
    return stage
  }

  function add(toxic: Toxic): void {
    if (Math.random() < toxic.toxicity) stages.push(createStage(toxic))
  }

  toxics.forEach(add)
  from.on('data', (data: Buffer) => hand(undefined, { data, at: performance.now() }))
  from.once('end', () => hand(undefined, undefined))
  return {
    add,
    remove: (name) => stages.find(({ toxic }) => toxic.name === name)?.remove(),
  }
}
