import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { reset } from '../reset.ts'
import { createLink, type Link, type Toxic } from './link.ts'

export interface ProxyState {
  readonly name: string
  /** `host:port`. */
  readonly listen: string
  /** `host:port`. */
  readonly upstream: string
  readonly enabled: boolean
  readonly toxics: readonly Toxic[]
}

export interface TcpProxy {
  state(): ProxyState
  /** Listens, or stops listening and closes every connection. @throws when the port is taken */
  enable(enabled: boolean): Promise<void>
  add(toxic: Toxic): void
  remove(toxic: Toxic): void
}

const split = (address: string) => {
  const colon = address.lastIndexOf(':')
  return { host: address.slice(0, colon) || '127.0.0.1', port: Number(address.slice(colon + 1)) }
}

/** Forwards the connections of one port to one server through toxics. It listens after `enable(true)`. */
export function createTcpProxy({ name, listen, upstream }: Pick<ProxyState, 'name' | 'listen' | 'upstream'>): TcpProxy {
  const toxics: Toxic[] = []
  const links = new Map<Socket, Readonly<Record<Toxic['stream'], Link>>>()
  let server: Server | undefined
  let address = listen

  function forward(client: Socket): void {
    const target = connect({ ...split(upstream), allowHalfOpen: true })
    const sockets = [client, target]
    const end = () => {
      links.delete(client)
      for (const socket of sockets) socket.destroy()
    }
    for (const socket of sockets) socket.setNoDelay(true).on('error', end).on('close', end)
    const create = (from: Socket, to: Socket, stream: Toxic['stream']) =>
      createLink({
        from,
        to,
        reset: () => sockets.forEach(reset),
        toxics: toxics.filter((toxic) => toxic.stream === stream),
      })
    links.set(client, {
      upstream: create(client, target, 'upstream'),
      downstream: create(target, client, 'downstream'),
    })
  }

  return {
    state: () => ({ name, listen: address, upstream, enabled: server !== undefined, toxics: [...toxics] }),
    async enable(enabled) {
      if (enabled === (server !== undefined)) return
      if (server !== undefined) {
        const closed = once(server, 'close')
        server.close()
        server = undefined
        for (const client of links.keys()) client.destroy()
        await closed
        return
      }
      const { host, port } = split(address)
      const starting = createServer({ allowHalfOpen: true }, forward).listen(port, host)
      await once(starting, 'listening')
      server = starting
      address = `${host}:${(starting.address() as AddressInfo).port}`
    },
    add(toxic) {
      toxics.push(toxic)
      for (const link of links.values()) link[toxic.stream].add(toxic)
    },
    remove(toxic) {
      toxics.splice(toxics.indexOf(toxic), 1)
      for (const link of links.values()) link[toxic.stream].remove(toxic.name)
    },
  }
}
