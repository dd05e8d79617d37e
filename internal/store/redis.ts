import { once } from 'node:events'
import { RedisClient, type RedisFunctions, type RedisModules, type RedisScripts, type TypeMapping } from '@redis/client'
import { TimeoutError, withTimeout } from '#pkg/with-timeout.ts'

export interface RedisOptions {
  readonly url: string
  /** Name of the connection in `CLIENT LIST`. */
  readonly clientName: string
  readonly connectTimeoutMs: number
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
  /** Returns the current connection, which `ping` may replace. Commands fail at once while it is not connected. */
  client(): Client
  /** Runs a command. Rejects with TimeoutError after `timeoutMs`, although Redis may still execute it. */
  run<T>(timeoutMs: number, command: (client: Client) => Promise<T>): Promise<T>
  /**
   * Waits for a connection and its response. Rejects with the error of the last attempt to connect. When `signal` aborts
   * with a TimeoutError, it replaces the connection, whose pending commands fail.
   */
  ping(signal: AbortSignal): Promise<unknown>
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
  let lastError: Error | undefined
  let client = connectClient(options)

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
    client.destroy()
    client = connectClient(options)
    connect()
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
      const pinged = client
      const replace = () => {
        if (signal.reason instanceof TimeoutError && pinged === client && pinged.isReady) reconnect()
      }
      signal.addEventListener('abort', replace, { once: true })
      await pinged.ping()
      signal.removeEventListener('abort', replace)
    },
    start: connect,
    async stop() {
      if (client.isReady) await client.close()
      else client.destroy()
    },
  }
}
