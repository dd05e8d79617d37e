import { once } from 'node:events'
import { createClient } from '@redis/client'
import { TimeoutError, withTimeout } from '#pkg/with-timeout.ts'

export interface RedisOptions {
  readonly url: string
  /** What `CLIENT LIST` shows. */
  readonly clientName: string
  readonly connectTimeoutMs: number
  /** Pause between two looks whether the connection answers, and the longest wait for that, in milliseconds. @default 4_000 */
  readonly pingIntervalMs?: number
  /** The connection broke, or could not be made. The next try is under way already. */
  readonly onError: (error: Error) => void
}

type Client = ReturnType<typeof connectClient>

export interface Redis {
  /** The connection of now: ask for it each time. Its commands fail at once while it is not connected. */
  client(): Client
  /** What `command` asks of it. Rejects after `timeoutMs`, when the answer may still be on its way. */
  run<T>(timeoutMs: number, command: (client: Client) => Promise<T>): Promise<T>
  /** Rejects with the reason why there is no connection. The first one, or one after `reconnect`, is waited for. */
  ping(signal: AbortSignal): Promise<unknown>
  /** Drops a connection that no longer answers, so that what waits on it fails, and opens a new one. */
  reconnect(): void
  start(): void
  /** Waits for commands under way, then closes the connection. */
  stop(): Promise<void>
}

const MAX_BACKOFF_MS = 1_000

/** Doubles from 50 ms to a second, each with up to a quarter more, so that many instances do not return as one. */
function backoff(retries: number): number {
  return Math.min(50 * 2 ** retries, MAX_BACKOFF_MS) * (1 + Math.random() / 4)
}

function connectClient({ url, clientName, connectTimeoutMs }: RedisOptions) {
  return createClient({
    url,
    name: clientName,
    // A command fails now instead of waiting for a server that may never come back.
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    // The socket's bounds the log-in, which has no timeout of its own. What is written later puts it off, answered or not.
    socket: { connectTimeout: connectTimeoutMs, socketTimeout: 10_000, reconnectStrategy: backoff },
  })
}

/** Connects in the background and for as long as it takes. */
export function createRedis(options: RedisOptions): Redis {
  const { pingIntervalMs = 4_000 } = options
  let lastError: Error | undefined
  let client = connectClient(options)
  let timer: NodeJS.Timeout | undefined

  function connect(): void {
    lastError = undefined
    client.on('ready', () => {
      lastError = undefined
    })
    client.on('error', (error: Error) => {
      lastError = error
      options.onError(error)
    })
    // Rejects only when it is stopped; each failed try is an error event.
    client.connect().catch(() => {})
  }

  function reconnect(): void {
    if (!client.isReady) return
    client.destroy()
    client = connectClient(options)
    connect()
  }

  async function pingNow(): Promise<void> {
    const pinged = client
    try {
      if (pinged.isReady) await withTimeout(pinged.ping(), pingIntervalMs)
    } catch (error) {
      // Any other failure is an answer, or is known already.
      if (error instanceof TimeoutError && pinged === client && timer !== undefined) reconnect()
    }
  }

  return {
    client: () => client,
    run: async (timeoutMs, command) => withTimeout(command(client), timeoutMs),
    async ping(signal) {
      // On a connection that is there, an error is an answer (-BUSY, -LOADING) to some command, and passes.
      if (!client.isReady) {
        if (lastError !== undefined) throw lastError
        await once(client, 'ready', { signal })
      }
      await client.ping()
    },
    reconnect,
    start() {
      connect()
      timer = setInterval(pingNow, pingIntervalMs)
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      if (client.isReady) await client.close()
      else client.destroy()
    },
  }
}
