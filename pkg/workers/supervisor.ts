/** The slice of a worker process that is used: https://nodejs.org/api/cluster.html#class-worker */
export interface WorkerHandle {
  readonly process: { readonly pid?: number | undefined; kill(signal: NodeJS.Signals): unknown }
  isConnected(): boolean
  send(message: PrimaryMessage, done: (error: Error | null) => void): unknown
  on(event: 'message', listener: (message: WorkerMessage) => void): unknown
  on(event: 'exit', listener: (code: number | null, signal: string | null) => void): unknown
}

/** `leaving`: it takes no more connections, and ends as soon as it is told that it may. */
export type WorkerMessage = { readonly type: 'ready' | 'leaving' }

/** `retire`: another worker takes over, and the service goes on. `stop`: the whole service ends. */
export type PrimaryMessage =
  | { readonly type: 'retire' | 'stop' | 'stop now' | 'may leave' }
  | { readonly type: 'state'; readonly state: unknown }

export interface SupervisorOptions {
  readonly count: number
  readonly fork: () => WorkerHandle
  /** Longest time from fork to ready, in milliseconds. @default 30_000 */
  readonly readyTimeoutMs?: number
  /** Longest stop of one worker, in milliseconds; then it is killed. @default 30_000 */
  readonly stopTimeoutMs?: number
  readonly onEvent?: (event: SupervisorEvent) => void
}

export type SupervisorEvent =
  | { readonly type: 'worker ready' | 'worker died' | 'worker retired'; readonly pid: number | undefined }
  | { readonly type: 'worker failed to start'; readonly error: unknown }

export interface Supervisor {
  /** Rejects when a first worker does not become ready. */
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

interface Running {
  readonly handle: WorkerHandle
  /** Rejects when it ends before. */
  readonly ready: Promise<void>
  readonly exited: Promise<number | null>
  /** It is meant to end. */
  leaving: boolean
}

/** A worker that dies is replaced after 100 ms, then 200, and so on to 10 s, until one has lived for a minute. */
const backoff = (failures: number) => Math.min(100 * 2 ** failures, 10_000)
const PROVEN_AFTER_MS = 60_000

/** A worker that ended in this moment cannot be told, and need not be. */
function tell(handle: WorkerHandle, message: PrimaryMessage): void {
  if (handle.isConnected()) handle.send(message, () => {})
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { count, fork, readyTimeoutMs = 30_000, stopTimeoutMs = 30_000, onEvent = () => {} } = options
  const workers = new Set<Running>()
  const delays = new Set<NodeJS.Timeout>()
  let state: unknown
  let stopping = false
  let failures = 0
  let ending: readonly Promise<number | null>[] = []

  async function startWorker(): Promise<Running> {
    const handle = fork()
    const exit = Promise.withResolvers<number | null>()
    const ready = Promise.withResolvers<void>()
    const running: Running = { handle, ready: ready.promise, exited: exit.promise, leaving: false }
    workers.add(running)
    handle.on('message', ({ type }) => {
      if (type === 'ready') ready.resolve()
      else tell(handle, { type: 'may leave' })
    })
    handle.on('exit', (code, signal) => {
      workers.delete(running)
      exit.resolve(code)
      ready.reject(new Error(`worker ended with ${signal ?? code} before it was ready`))
    })
    if (state !== undefined) tell(handle, { type: 'state', state })
    const timer = setTimeout(() => {
      handle.process.kill('SIGKILL')
      ready.reject(new Error(`worker not ready within ${readyTimeoutMs} ms`))
    }, readyTimeoutMs)
    try {
      await ready.promise
    } finally {
      clearTimeout(timer)
    }
    onEvent({ type: 'worker ready', pid: handle.process.pid })
    const readyAt = performance.now()
    void running.exited.then(() => replaceUnlessLeaving(running, readyAt))
    return running
  }

  function replaceUnlessLeaving({ leaving, handle }: Running, readyAt: number): void {
    if (leaving || stopping) return
    onEvent({ type: 'worker died', pid: handle.process.pid })
    if (performance.now() - readyAt > PROVEN_AFTER_MS) failures = 0
    replaceLater()
  }

  function replaceLater(): void {
    const timer = setTimeout(async () => {
      delays.delete(timer)
      try {
        await startWorker()
      } catch (error) {
        if (stopping) return
        onEvent({ type: 'worker failed to start', error })
        replaceLater()
      }
    }, backoff(failures++))
    delays.add(timer)
  }

  async function end(running: Running, type: 'retire' | 'stop' | 'stop now'): Promise<number | null> {
    running.leaving = true
    tell(running.handle, { type })
    const timer = setTimeout(() => running.handle.process.kill('SIGKILL'), stopTimeoutMs)
    const code = await running.exited
    clearTimeout(timer)
    return code
  }

  function drain(now: boolean): void {
    stopping = true
    for (const delay of delays) clearTimeout(delay)
    ending = [...workers].map((running) => (running.leaving ? running.exited : end(running, now ? 'stop now' : 'stop')))
  }

  async function roll(): Promise<boolean> {
    for (const old of [...workers]) {
      // One that has died since, or does so while it starts, is replaced by what is on the disk now anyway.
      const lives = await old.ready.then(
        () => workers.has(old),
        () => false,
      )
      if (stopping) return false
      if (!lives) continue
      try {
        await startWorker()
      } catch (error) {
        if (stopping) return false
        throw error
      }
      await end(old, 'retire')
      onEvent({ type: 'worker retired', pid: old.handle.process.pid })
    }
    return true
  }

  return {
    async start() {
      await Promise.all(Array.from({ length: count }, startWorker))
    },
    roll,
    publish(next) {
      state = next
      for (const { handle } of workers) tell(handle, { type: 'state', state })
    },
    drain,
    async stop(signal) {
      if (!stopping) drain(true)
      const cut = () => {
        for (const { handle } of workers) handle.process.kill('SIGKILL')
      }
      signal.addEventListener('abort', cut)
      const codes = await Promise.all(ending)
      signal.removeEventListener('abort', cut)
      return codes.every((code) => code === 0)
    },
  }
}
