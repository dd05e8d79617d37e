import { execFileSync } from 'node:child_process'
import { type PostgresOptions, startPostgres } from '../../scripts/services/postgres.ts'
import { type RedisOptions, startRedis } from '../../scripts/services/redis.ts'
import type { LocalServer } from '../../scripts/services/service.ts'
import { temporaryDirectory } from './temporary.ts'

export { freePort, until } from '../../scripts/services/service.ts'

/** A server of one test file that can be killed, hang, and restart. */
export interface TestService {
  readonly url: string
  readonly port: number
  /** The current process. */
  readonly pid: number
  /** Sends SIGKILL. The system resets the connections and closes the port. */
  kill(): Promise<void>
  /** Stops cleanly: the server ends its connections first. */
  shutDown(): Promise<void>
  /** Sends SIGSTOP to all processes of the server. Connections stay open, but no response arrives. */
  hang(): void
  resume(): void
  /** Starts the server again on the same port with the same data. */
  restart(): Promise<void>
  /** Ends the server. */
  stop(): Promise<void>
}

async function testService(start: (port?: number) => Promise<LocalServer>): Promise<TestService> {
  let service = await start()
  const { url, port } = service
  const processes = () => [service.pid, ...listChildren(service.pid)]
  let running = true
  const signalAll = (signal: NodeJS.Signals) => {
    for (const pid of processes()) {
      try {
        process.kill(pid, signal)
      } catch (error) {
        // A backend ends with its client, maybe since the processes were listed.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
  }
  return {
    url,
    port,
    get pid() {
      return service.pid
    },
    async kill() {
      signalAll('SIGKILL')
      running = false
      await service.stop()
    },
    async shutDown() {
      running = false
      await service.stop()
    },
    hang: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async restart() {
      service = await start(port)
      running = true
      if (service.port !== port) throw new Error(`port ${port} is taken`)
    },
    async stop() {
      if (running) signalAll('SIGCONT')
      await service.stop()
    },
  }
}

/** Lists the backends of PostgreSQL, which continue to serve when only their parent is stopped. */
function listChildren(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  const pairs = rows.map((row) => row.trim().split(/\s+/).map(Number))
  return pairs.flatMap(([child = 0, parent]) => (parent === pid ? child : []))
}

export function testPostgres(options: Omit<PostgresOptions, 'directory' | 'port'> = {}): Promise<TestService> {
  const directory = temporaryDirectory('postgres')
  return testService((port) => startPostgres({ ...options, directory, ...(port && { port }) }))
}

export function testRedis(options: Omit<RedisOptions, 'directory' | 'port'> = {}): Promise<TestService> {
  const directory = temporaryDirectory('redis')
  return testService((port) => startRedis({ ...options, directory, ...(port && { port }) }))
}
