import { connect, createServer, type Socket } from 'node:net'
import { listen } from './listen.ts'

/** A proxy in front of a server, which tests use to delay and change responses. */
export interface TcpProxy {
  readonly url: string
  /** Number of connections since the start. */
  readonly connections: number
  /** Bytes from clients since the last call of `hold`, to which the server has not responded. */
  readonly held: Buffer
  /**
   * Keeps all bytes that the server sends on the current connections. The bytes of the clients still reach the server.
   */
  hold(): void
  /** Sends the kept bytes, and all later bytes. */
  pass(): void
  /** Sends these bytes to the clients of the current connections. */
  inject(bytes: Uint8Array): void
  stop(): Promise<void>
}

export async function startTcpProxy(target: string): Promise<TcpProxy> {
  const { hostname, port } = new URL(target)
  const clients = new Map<Socket, Socket>()
  let connections = 0
  let held: Buffer[] = []
  const server = createServer((client) => {
    connections++
    const upstream = connect(Number(port), hostname)
    clients.set(client, upstream)
    client.on('data', (chunk) => {
      held.push(Buffer.from(chunk))
      upstream.write(chunk)
    })
    upstream.pipe(client)
    const close = () => {
      clients.delete(client)
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) socket.on('error', close).on('close', close)
  })
  const { port: ownPort, stop } = await listen(server)
  return {
    url: Object.assign(new URL(target), { port: String(ownPort) }).href,
    get connections() {
      return connections
    },
    get held() {
      return Buffer.concat(held)
    },
    hold() {
      held = []
      for (const [client, upstream] of clients) {
        upstream.unpipe(client)
        upstream.pause()
      }
    },
    pass() {
      for (const [client, upstream] of clients) upstream.pipe(client)
    },
    inject(bytes) {
      for (const client of clients.keys()) client.write(bytes)
    },
    stop() {
      for (const client of clients.keys()) client.destroy()
      return stop()
    },
  }
}
