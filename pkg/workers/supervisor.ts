/** The slice of a child process that is used: https://nodejs.org/api/child_process.html#class-childprocess */
export interface WorkerHandle {
  /** Undefined when it could not be started. */
  readonly pid?: number | undefined
  readonly connected: boolean
  kill(signal: NodeJS.Signals): unknown
  send(message: PrimaryMessage, done: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: WorkerMessage) => void): unknown
  on(event: 'exit', listener: (code: number | null, signal: NodeJS.Signals | null) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
}

/** `leaving`: it takes no more connections, and ends as soon as it is told that it may. */
export type WorkerMessage = { readonly type: 'ready' | 'leaving' }

/** `retire`: another worker takes over, and the service goes on. `stop`: the whole service ends. */
export type PrimaryMessage =
  | { readonly type: 'start'; readonly given: unknown }
  | { readonly type: 'retire' | 'stop' | 'stop now' | 'may leave' }
  | { readonly type: 'state'; readonly state: unknown }

export interface SupervisorOptions {
  readonly count: number
  readonly fork: () => WorkerHandle
  /** What a worker that starts now is given. */
  readonly given?: () => unknown
  /** Longest time from fork to ready, in milliseconds. @default 30_000 */
  readonly readyTimeoutMs?: number
  /** Longest stop of one worker, in milliseconds; then it is killed. @default 30_000 */
  readonly stopTimeoutMs?: number
  readonly onEvent?: (event: SupervisorEvent) => void
}

/** How a worker ended: by itself, or by a signal. */
export interface WorkerEnd {
  readonly pid: number | undefined
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export type SupervisorEvent =
  | { readonly type: 'worker ready'; readonly pid: number | undefined }
  | ({ readonly type: 'worker died' | 'worker retired' } & WorkerEnd)
  | { readonly type: 'worker failed to start'; readonly error: unknown }

export interface Supervisor {
  /** Rejects when a first worker does not become ready; the others are killed. */
  start(): Promise<void>
  /**
   * Replaces the workers one by one, each only when its successor is ready. Resolves with whether all
   * were, rejects when a successor does not become ready; the old ones that are left go on. Not for
   * two calls at a time.
   */
  roll(): Promise<boolean>
  /** Tells every worker of now, and each that comes later. */
  publish(state: unknown): void
  /** Tells all workers to end, without a delay when `now`. */
  drain(now: boolean): void
  /** Waits until all have ended, and kills those that are left when `signal` aborts. Resolves with whether each ended with 0. */
  stop(signal: AbortSignal): Promise<boolean>
}

interface Worker {
  readonly handle: WorkerHandle
  phase: 'starting' | 'ready' | 'ending' | 'ended'
  /** Rejects when it ends before. */
  readonly ready: Promise<void>
  readonly ended: Promise<void>
}

/** Workers that are missing are replaced after 100 ms, then 200, and so on to 10 s, until one has lived for a minute. */
const backoff = (failures: number) => Math.min(100 * 2 ** failures, 10_000)
const PROVEN_AFTER_MS = 60_000

/** A worker that ended in this moment cannot be told, and need not be. */
function tell({ handle }: Worker, message: PrimaryMessage): void {
  if (handle.connected) handle.send(message, () => {})
}

/**
 * Keeps `count` workers alive. Whatever ends, fails or is late leads to `replaceMissing`, which looks at
 * what there is, so that the number comes back in every case and is never more.
 */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { count, fork, given, readyTimeoutMs = 30_000, stopTimeoutMs = 30_000, onEvent = () => {} } = options
  const workers = new Set<Worker>()
  let state: unknown
  let stopping = false
  let clean = true
  let failures = 0
  let replacement: NodeJS.Timeout | undefined

  /** Those that are there to stay. */
  const staying = () => [...workers].filter(({ phase }) => phase !== 'ending')
  const missing = () => count - staying().length

  /** Resolves when the worker is ready, rejects when it ends before or cannot be started at all. */
  async function launch(): Promise<void> {
    const handle = fork()
    const ready = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const worker: Worker = { handle, phase: 'starting', ready: ready.promise, ended: ended.promise }
    workers.add(worker)
    const late = setTimeout(() => {
      ready.reject(new Error(`worker not ready within ${readyTimeoutMs} ms`))
      handle.kill('SIGKILL')
    }, readyTimeoutMs)
    let readyAt = 0

    function gone(code: number | null, signal: NodeJS.Signals | null, error?: Error): void {
      clearTimeout(late)
      const { phase } = worker
      worker.phase = 'ended'
      workers.delete(worker)
      ended.resolve()
      ready.reject(error ?? new Error(`worker ended with ${signal ?? code} before it was ready`))
      if (stopping && code !== 0) clean = false
      if (phase === 'ready' && performance.now() - readyAt > PROVEN_AFTER_MS) failures = 0
      const end = { pid: handle.pid, code, signal }
      if (phase === 'ready' || (phase === 'ending' && stopping && code !== 0)) onEvent({ type: 'worker died', ...end })
      else if (phase === 'ending' && !stopping) onEvent({ type: 'worker retired', ...end })
      replaceMissing()
    }

    handle.on('exit', (code, signal) => gone(code, signal))
    handle.on('error', (error) => {
      // One that could not be started never exits. Other errors, as of a message that was too late, end nothing.
      if (handle.pid === undefined) gone(null, null, error)
    })
    handle.on('message', ({ type }) => {
      if (type === 'leaving') return tell(worker, { type: 'may leave' })
      clearTimeout(late)
      ready.resolve()
      if (worker.phase !== 'starting') return
      worker.phase = 'ready'
      readyAt = performance.now()
      onEvent({ type: 'worker ready', pid: handle.pid })
    })
    tell(worker, { type: 'start', given: given?.() })
    if (state !== undefined) tell(worker, { type: 'state', state })
    await ready.promise
  }

  function replaceMissing(): void {
    if (stopping || replacement !== undefined || missing() <= 0) return
    const replace = () => {
      replacement = undefined
      for (let left = missing(); left > 0; left--) {
        launch().catch((error) => {
          if (!stopping) onEvent({ type: 'worker failed to start', error })
          replaceMissing()
        })
      }
    }
    replacement = setTimeout(replace, backoff(failures++))
  }

  function replaceNoMore(): void {
    clearTimeout(replacement)
    replacement = undefined
  }

  /** Resolves when it has ended. */
  function end(worker: Worker, type: 'retire' | 'stop' | 'stop now'): Promise<void> {
    tell(worker, { type })
    if (worker.phase === 'starting' || worker.phase === 'ready') {
      worker.phase = 'ending'
      const late = setTimeout(() => worker.handle.kill('SIGKILL'), stopTimeoutMs)
      void worker.ended.then(() => clearTimeout(late))
    }
    return worker.ended
  }

  function drain(now: boolean): void {
    stopping = true
    replaceNoMore()
    for (const worker of workers) void end(worker, now ? 'stop now' : 'stop')
  }

  function kill(): void {
    for (const { handle } of workers) handle.kill('SIGKILL')
  }

  async function roll(): Promise<boolean> {
    const old = new Set(workers)
    failures = 0
    replaceNoMore()
    try {
      while (!stopping) {
        const starting = staying().find(({ phase }) => phase === 'starting')
        const next = staying().find((worker) => old.has(worker))
        if (missing() > 0) await launch()
        else if (starting !== undefined) await starting.ready.catch(() => starting.ended)
        else if (next === undefined) return true
        else {
          await launch()
          // Not when another one has died meanwhile: the successor has taken its place.
          if (!stopping && missing() < 0) await end(next, 'retire')
        }
      }
    } catch (error) {
      if (!stopping) throw error
    } finally {
      replaceMissing()
    }
    return false
  }

  return {
    async start() {
      try {
        await Promise.all(Array.from({ length: count }, launch))
      } catch (error) {
        stopping = true
        replaceNoMore()
        kill()
        throw error
      }
    },
    roll,
    publish(next) {
      state = next
      for (const worker of workers) tell(worker, { type: 'state', state })
    },
    drain,
    async stop(signal) {
      if (!stopping) drain(true)
      if (signal.aborted) kill()
      signal.addEventListener('abort', kill)
      await Promise.all([...workers].map(({ ended }) => ended))
      signal.removeEventListener('abort', kill)
      return clean
    },
  }
}
