import { once } from 'node:events'
import { RedisClient, type RedisFunctions, type RedisModules, type RedisScripts, type TypeMapping } from '@redis/client'
import { TimeoutError, withTimeout } from '#pkg/with-timeout.ts'

export interface RedisOptions {
  readonly url: string
  /** Name of the connection in `CLIENT LIST`. */
  readonly clientName: string
  readonly connectTimeoutMs: number
  /** Interval of the pings that detect a connection without responses, and their timeout, in milliseconds. @default 4_000 */
  readonly pingIntervalMs?: number
  /** Called when a connection breaks or fails. The next attempt has already begun. */
  readonly onError: (error: Error) => void
}

/**
 * The official client with the commands that the service uses, under their usual names. Add a method for another command.
 * `createClient()` builds a method for each of a thousand commands, which takes longer than the rest of a start.
 */
class Client extends RedisClient<RedisModules, RedisFunctions, RedisScripts, 2, TypeMapping> {
  ping(): Promise<string> {
    return this.sendCommand(['PING'])
  }

  get(key: string): Promise<string | null> {
    return this.sendCommand(['GET', key])
  }

  /** `PX` is the lifetime in milliseconds. With `NX` it resolves with null when the key exists. */
  set(key: string, value: string, { NX = false, PX }: { NX?: boolean; PX?: number } = {}): Promise<string | null> {
    return this.sendCommand([
      ...['SET', key, value],
      ...(NX ? ['NX'] : []),
      ...(PX === undefined ? [] : ['PX', String(PX)]),
    ])
  }

  del(key: string): Promise<number> {
    return this.sendCommand(['DEL', key])
  }

  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown> {
    return this.sendCommand(['EVAL', script, String(options.keys.length), ...options.keys, ...options.arguments])
  }
}

export interface Redis {
  /** Returns the current connection; `reconnect` replaces it. Commands fail at once while it is not connected. */
  client(): Client
  /** Runs a command. Rejects with TimeoutError after `timeoutMs`, although Redis may still execute it. */
  run<T>(timeoutMs: number, command: (client: Client) => Promise<T>): Promise<T>
  /** Rejects with the error of the last attempt to connect, and waits for the first attempt and for one after `reconnect`. */
  ping(signal: AbortSignal): Promise<unknown>
  /** Replaces a connection that no longer responds. Its pending commands fail. */
  reconnect(): void
  start(): void
  /** Waits for the pending commands, then closes the connection. */
  stop(): Promise<void>
}

const MAX_BACKOFF_MS = 1_000

/** Doubles from 50 ms to one second, plus a random quarter, so that many instances do not reconnect at once. */
function backoff(retries: number): number {
  return Math.min(50 * 2 ** retries, MAX_BACKOFF_MS) * (1 + Math.random() / 4)
}

function connectClient({ url, clientName, connectTimeoutMs }: RedisOptions): Client {
  return new Client({
    url,
    name: clientName,
    // Commands fail at once instead of waiting for a server that may not return.
    disableOfflineQueue: true,
    commandsQueueMaxLength: 10_000,
    // socketTimeout bounds the login, which has no other timeout. Every later write extends it, even without a response.
    socket: { connectTimeout: connectTimeoutMs, socketTimeout: 10_000, reconnectStrategy: backoff },
  })
}

/** Connects in the background and retries until it succeeds. */
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
    // Rejects only after a stop; each failed attempt is an error event.
    client.connect().catch(() => {})
  }

  function reconnect(): void {
    if (!client.isReady) return
    client.destroy()
    client = connectClient(options)
    connect()
  }

  async function checkConnection(): Promise<void> {
    const pinged = client
    try {
      if (pinged.isReady) await withTimeout(pinged.ping(), pingIntervalMs)
    } catch (error) {
      // Any other error is a response, or has been reported.
      if (error instanceof TimeoutError && pinged === client && timer !== undefined) reconnect()
    }
  }

  return {
    client: () => client,
    run: async (timeoutMs, command) => withTimeout(command(client), timeoutMs),
    async ping(signal) {
      // On a ready connection, lastError may be the response to some command (-BUSY, -LOADING).
      if (!client.isReady) {
        if (lastError !== undefined) throw lastError
        await once(client, 'ready', { signal })
      }
      await client.ping()
    },
    reconnect,
    start() {
      connect()
      timer = setInterval(checkConnection, pingIntervalMs)
    },
    async stop() {
      clearInterval(timer)
      timer = undefined
      if (client.isReady) await client.close()
      else client.destroy()
    },
  }
}
