import cluster from 'node:cluster'
import { EventEmitter } from 'node:events'
import { isSea } from 'node:sea'
import type { PrimaryMessage, WorkerHandle } from './supervisor.ts'

export interface ForkOptions {
  /** A listening socket of this process that was handed to it, for the workers to share. */
  readonly listenFd?: number | undefined
}

/** Starts this program again, from what is on the disk now, with the command `serve`. */
export function forkWorker({ listenFd }: ForkOptions = {}): WorkerHandle {
  // That socket goes on without this service, so nobody may take connections for workers that are about to
  // end: each accepts by itself, and what is left waits for the next. It counts before the first setup only.
  if (listenFd !== undefined) cluster.schedulingPolicy = cluster.SCHED_NONE
  // The name of the script stands before the arguments, and an executable has none; its own Node options
  // are in it, and repeated they would be arguments.
  cluster.setupPrimary(isSea() ? { exec: 'serve', args: [], execArgv: [] } : { args: ['serve'] })
  return cluster.fork(listenFd === undefined ? {} : { LISTEN_FD: String(listenFd) })
}

/** A worker's side. */
export interface PrimaryLink {
  /** What the primary published last. */
  state(): unknown
  /** Whether another worker takes over, so that the service goes on when this one ends. */
  retired(): boolean
  /** For createLifecycle's runner: the primary's orders in the place of signals. */
  readonly signals: SignalSource
  ready(): void
  /**
   * Resolves when the primary knows that this worker takes no more connections. One that it had handed
   * over before is refused by then, and goes to another worker; to end earlier would lose it.
   */
  leave(): Promise<void>
}

/** As `process` has them. */
interface SignalSource {
  on(event: 'SIGTERM' | 'SIGINT' | 'SIGHUP', listener: () => void): unknown
  on(event: 'uncaughtException', listener: (error: unknown) => void): unknown
}

/** The link to the primary, or undefined in a process that is not a worker. */
export function linkToPrimary(): PrimaryLink | undefined {
  if (!cluster.isWorker) return undefined
  let state: unknown
  let retired = false
  const orders = new EventEmitter()
  const leaving = Promise.withResolvers<void>()
  process.on('message', (message: PrimaryMessage) => {
    if (message.type === 'state') {
      state = message.state
      return
    }
    if (message.type === 'may leave') return leaving.resolve()
    retired = message.type === 'retire'
    orders.emit(message.type === 'stop now' ? 'SIGINT' : 'SIGTERM')
  })
  // A primary that is gone ends its workers too.
  process.once('disconnect', () => {
    leaving.resolve()
    orders.emit('SIGINT')
  })
  // A terminal signals the whole group; the primary is told as well, and it is the primary that decides.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  return {
    state: () => state,
    retired: () => retired,
    ready: () => void process.send?.({ type: 'ready' }),
    leave() {
      if (process.connected) process.send?.({ type: 'leaving' })
      else leaving.resolve()
      return leaving.promise
    },
    signals: {
      on: (event: string, listener: (error: unknown) => void) =>
        event === 'uncaughtException' ? process.on(event, listener) : orders.on(event, listener),
    },
  }
}
