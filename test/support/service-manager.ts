import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'

/** What service-manager.py reports; `atMs` is its monotonic clock. */
export type ManagerEvent = { readonly atMs: number } & (
  | { readonly event: 'listening'; readonly port: number }
  | { readonly event: 'started'; readonly pid: number }
  | { readonly event: 'notified'; readonly state: string }
  | { readonly event: 'ended'; readonly code: number }
)

type Fields = Readonly<Record<string, unknown>>

export interface ServiceManager {
  /** Of the socket that it keeps, else 0. */
  readonly port: number
  readonly events: readonly ManagerEvent[]
  start(): void
  signal(signal: NodeJS.Signals): void
  /** The first event with these fields that no call has had before, waited for. */
  next(fields: Fields): Promise<ManagerEvent>
}

export interface ManagerOptions {
  readonly env: Readonly<Record<string, string>>
  /** Whether it listens for the service, as a socket unit does. @default false */
  readonly socket?: boolean
}

const running = new Set<ChildProcess>()

/** A small service manager for dist/app, with a real datagram socket for its notifications. */
export async function startManager({ env, socket = false }: ManagerOptions): Promise<ServiceManager> {
  const args = ['test/support/service-manager.py', ...(socket ? ['--socket'] : []), resolve('dist/app')]
  const child = spawn('python3', args, {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  running.add(child)
  child.once('close', () => running.delete(child))
  const events: ManagerEvent[] = []
  const had = new Set<ManagerEvent>()
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => events.push(JSON.parse(line)))

  async function next(fields: Fields): Promise<ManagerEvent> {
    const matches = (event: ManagerEvent) =>
      !had.has(event) && Object.entries(fields).every(([name, value]) => (event as Fields)[name] === value)
    for (;;) {
      const found = events.find(matches)
      if (found !== undefined) {
        had.add(found)
        return found
      }
      await once(lines, 'line')
    }
  }

  const listening = await next({ event: 'listening' })
  return {
    port: 'port' in listening ? listening.port : 0,
    events,
    start: () => void child.stdin.write('start\n'),
    signal: (signal) => void child.stdin.write(`${signal}\n`),
    next,
  }
}

/** For afterEach: each ends with its service when its input ends. */
export async function endManagers(): Promise<void> {
  await Promise.all(
    [...running].map((child) => {
      const closed = once(child, 'close')
      child.stdin?.end()
      return closed
    }),
  )
}
