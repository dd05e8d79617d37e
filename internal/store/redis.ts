import { once } from 'node:events'
import { RedisClient } from '@redis/client'
import { TimeoutError, withTimeout } from '#pkg/with-timeout.ts'

type OnCommand = (name: string, durationMs: number, error?: unknown) => void

export interface RedisOptions {
  readonly url: string
  /** Name of the connection in `CLIENT LIST`. */
  readonly clientName: string
  readonly connectTimeoutMs: number
  /** Called when a connection breaks or fails. The next attempt has already begun. */
  readonly onError: (error: Error) => void
  /** Returns a function that is called at the end of each command. @default commands are not measured */
  readonly observe?: ((isReady: () => boolean) => OnCommand) | undefined
}

/** Doubles from 50 ms to one second, plus a random quarter, so that many instances do not reconnect at once. */
const computeBackoff = (retries: number) => Math.min(50 * 2 ** retries, 1_000) * (1 + Math.random() / 4)

export type Redis = ReturnType<typeof createRedis>

/** Connects in the background and retries until it succeeds. Commands fail at once while it is not connected. */
export function createRedis({ url, clientName, connectTimeoutMs, onError, observe }: RedisOptions) {
  const onCommand = observe?.(() => client.isReady)
  let lastError: Error | undefined
  let client = createClient()

  function createClient() {
    lastError = undefined
    // The package's `createClient` builds a method for each of a thousand commands, which takes longer than the rest of
    // a start.
    const created = new RedisClient({
      url,
      name: clientName,
      // Commands fail at once instead of waiting for a server that may not return.
      disableOfflineQueue: true,
      commandsQueueMaxLength: 10_000,
      // socketTimeout bounds the login, which has no other timeout. Every later write extends it, even without a
      // response.
      socket: { connectTimeout: connectTimeoutMs, socketTimeout: 10_000, reconnectStrategy: computeBackoff },
    })
    created.on('ready', () => {
      lastError = undefined
    })
    created.on('error', (error: Error) => {
      lastError = error
      onError(error)
    })
    if (onCommand) measure(created, onCommand)
    return created
  }

  function start(): void {
    // Rejects only after a stop; each failed attempt is an error event.
    client.connect().catch(() => {})
  }

  return {
    start,
    /** Returns the client of the current connection, which `ping` may replace. */
    client: () => client,
    /** Runs a command. Rejects with TimeoutError after `timeoutMs`, although Redis may still execute it. */
    async run<T>(timeoutMs: number, ...command: string[]): Promise<T> {
      return withTimeout(client.sendCommand<T>(command), timeoutMs)
    },
    /**
     * Waits for a connection and its response. Rejects with the error of the last attempt to connect. Replaces the
     * connection when `signal` aborts with a TimeoutError: its pending commands fail, and the next command gets
     * another.
     */
    async ping(signal: AbortSignal): Promise<void> {
      // On a ready connection, lastError may be the response to some command (-BUSY, -LOADING).
      if (!client.isReady) {
        if (lastError !== undefined) throw lastError
        await once(client, 'ready', { signal })
      }
      const pinged = client
      function replace(): void {
        if (!(signal.reason instanceof TimeoutError) || pinged !== client || !pinged.isReady) return
        pinged.destroy()
        client = createClient()
        start()
      }
      signal.addEventListener('abort', replace, { once: true })
      await pinged.sendCommand(['PING'])
      signal.removeEventListener('abort', replace)
    },
    /** Waits for the pending commands, then closes the connection. */
    async stop(): Promise<void> {
      if (client.isReady) await client.close()
      else client.destroy()
    },
  }
}

type Client = ReturnType<Redis['client']>

function measure(client: Client, onCommand: OnCommand): void {
  const send = client.sendCommand.bind(client)
  client.sendCommand = function measured<T>(...[args, options]: Parameters<typeof send>): Promise<T> {
    const startedAt = performance.now()
    const reply = send<T>(args, options)
    const end = (error?: unknown) => onCommand(String(args[0]), performance.now() - startedAt, error)
    reply.then(() => end(), end)
    return reply
  }
}
