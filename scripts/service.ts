import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { endWithThisProcess } from './services/service.ts'
import type { Changes } from './watch.ts'

export interface Command {
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

export interface ServiceOptions {
  /** Returns the arguments and the environment of Node. Called for each start. */
  readonly prepare: () => Promise<Command>
  /** Called when the process has started. */
  readonly onStart: () => void
  /** Receives the log. @default the standard output of this process */
  readonly log?: NodeJS.WritableStream
  /** Restarts the service after each change. */
  readonly changes?: Changes
}

/** A process that a debugger has stopped, or a request without end, must not delay a restart. */
const RESTART_TIMEOUT_MS = 300

/**
 * Runs the service. `ended` resolves with the exit code of the service. With `changes`, it resolves only after `stop`,
 * because a service that has ended starts again after the next change.
 */
export function runService({ prepare, onStart, log, changes }: ServiceOptions) {
  let child: ChildProcess | undefined
  let isStopping = false
  const stopped = Promise.withResolvers<void>()

  async function startProcess(): Promise<{ readonly ended: Promise<number> }> {
    const { args, env } = await prepare()
    if (isStopping) return { ended: Promise.resolve(0) }
    // The service has a separate process group, so the terminal sends Ctrl-C only to this process. This process
    // forwards the signal once.
    const stdout = log ? 'pipe' : 'inherit'
    const started = spawn(process.execPath, args, { env, detached: true, stdio: ['ignore', stdout, 'inherit'] })
    child = started
    if (log) started.stdout?.pipe(log, { end: false })
    const guard = endWithThisProcess(started.pid ?? 0, 'SIGTERM')
    const ended = once(started, 'exit').then(([code, signal]) => {
      guard.kill('SIGKILL')
      return (code as number | null) ?? (signal === 'SIGINT' || signal === 'SIGTERM' ? 0 : 1)
    })
    onStart()
    return { ended }
  }

  /** Ends the process without the delay of a drain. */
  async function endProcess(ended: Promise<number>): Promise<void> {
    const ending = child
    ending?.kill('SIGINT')
    const timer = setTimeout(() => ending?.kill('SIGKILL'), RESTART_TIMEOUT_MS)
    await ended
    clearTimeout(timer)
  }

  async function restartOn(changes: Changes): Promise<number> {
    for (;;) {
      const changed = changes.next()
      // When `.env` cannot be read, the next save may repair it.
      const { ended } = await startProcess().catch((error: Error) => {
        console.error(error.message)
        return { ended: Promise.resolve(78) }
      })
      const code = await Promise.race([ended, changed.then(() => undefined)])
      if (isStopping) return ended
      if (code === undefined) {
        await endProcess(ended)
        // The exit code of a process that a restart has ended has no meaning.
        if (isStopping) return 0
      } else {
        console.error(`The service has ended with exit code ${code}. The next save starts it again.`)
        await Promise.race([changed, stopped.promise])
        if (isStopping) return ended
      }
      console.error(`restart: ${await changed} has changed`)
    }
  }

  return {
    ended: changes ? restartOn(changes) : startProcess().then(({ ended }) => ended),
    /** Sends the signal to the service, which does not start again. With `changes`, a second call kills it. */
    stop(signal: NodeJS.Signals): void {
      // A process that a debugger has stopped handles no signal.
      child?.kill(changes && isStopping ? 'SIGKILL' : signal)
      isStopping = true
      changes?.close()
      stopped.resolve()
    },
  }
}
