import { type ForkOptions as ChildOptions, fork } from 'node:child_process'
import cluster from 'node:cluster'
import { EventEmitter } from 'node:events'
import { existsSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { isSea } from 'node:sea'
import type { PrimaryMessage, WorkerHandle } from './supervisor.ts'

export interface WorkerOptions {
  /** A listening socket of this process that was handed to it, for the workers to share. */
  readonly listenFd?: number | undefined
}

/** Where a worker finds the socket that was handed over. */
export const INHERITED_FD = 4

/** Starts this program again, from what is on the disk now, with the command `worker`. */
export function forkWorker({ listenFd }: WorkerOptions = {}): WorkerHandle {
  followLinks()
  // The name of the script stands before the arguments, and an executable has none; its own Node options
  // are in it, and repeated they would be arguments.
  const program = isSea()
    ? { exec: 'worker', args: [], execArgv: [] }
    : { exec: scriptOf(process.argv), args: ['worker'] }
  if (listenFd !== undefined) {
    // That socket goes on without this service. Each worker inherits it and accepts by itself, so that what is
    // left waits for the next, and nobody closes it here when no worker lives; `cluster` would.
    const stdio: ChildOptions['stdio'] = ['inherit', 'inherit', 'inherit', 'ipc', listenFd]
    const { exec, args, ...options } = program
    return fork(exec, args, { ...options, stdio })
  }
  cluster.setupPrimary(program)
  const worker = cluster.fork()
  // Heard on the process; here it would be thrown.
  worker.on('error', () => {})
  return worker.process
}

const scriptOf = ([, script = '']: readonly string[]) => script

/**
 * Node names an executable with symbolic links resolved, and a new version behind a link that was swapped
 * would never be started. `cluster` takes the name from here and has no option for it.
 */
function followLinks(): void {
  const given = resolve(process.argv0)
  if (!isSea() || !process.argv0.includes('/') || given === process.execPath || !existsSync(given)) return
  if (realpathSync(given) === process.execPath) process.execPath = given
}

/** A worker's side. */
export interface PrimaryLink {
  /** What the primary gave it to start with. */
  readonly given: unknown
  /** What the primary published last. */
  state(): unknown
  /** Whether another worker takes over, so that the service goes on when this one ends. */
  retired(): boolean
  /** For createLifecycle's runner: the primary's orders in the place of signals. */
  readonly signals: SignalSource
  /** Calls `listener` when it is ending and is to do so without a delay. */
  onHurry(listener: () => void): void
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

/** The link to the primary, or undefined in a process that none has started. */
export async function linkToPrimary(): Promise<PrimaryLink | undefined> {
  if (process.send === undefined) return undefined
  let state: unknown
  let retired = false
  const given = Promise.withResolvers<unknown>()
  const leaving = Promise.withResolvers<void>()
  const orders = createOrders()
  process.on('message', (message: PrimaryMessage) => {
    switch (message.type) {
      case 'start':
        return given.resolve(message.given)
      case 'state':
        state = message.state
        return
      case 'may leave':
        return leaving.resolve()
      default:
        retired = message.type === 'retire'
        orders.give(message.type === 'stop now' ? 'SIGINT' : 'SIGTERM')
    }
  })
  // A primary that is gone ends its workers too.
  process.once('disconnect', () => {
    leaving.resolve()
    orders.give('SIGINT')
  })
  // A terminal signals the whole group; the primary is told as well, and it is the primary that decides.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})
  return {
    given: await given.promise,
    state: () => state,
    retired: () => retired,
    ready: () => void process.send?.({ type: 'ready' }),
    leave() {
      if (process.connected) process.send?.({ type: 'leaving' })
      else leaving.resolve()
      return leaving.promise
    },
    onHurry: orders.onHurry,
    signals: {
      on: (event: string, listener: (error: unknown) => void) =>
        event === 'uncaughtException' ? process.on(event, listener) : orders.on(event, listener as () => void),
    },
  }
}

/** The first order to end is one, however many come; one that comes before anybody listens is kept. */
export function createOrders() {
  const emitter = new EventEmitter()
  let first: string | undefined
  return {
    give(order: 'SIGTERM' | 'SIGINT'): void {
      if (first !== undefined) return void (order === 'SIGINT' && emitter.emit('hurry'))
      first = order
      emitter.emit(order)
    },
    on(event: string, listener: () => void): void {
      emitter.on(event, listener)
      if (first === event) queueMicrotask(listener)
    },
    onHurry: (listener: () => void) => void emitter.on('hurry', listener),
  }
}
