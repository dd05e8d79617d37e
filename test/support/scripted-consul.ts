import { createServer, type ServerResponse } from 'node:http'
import { listen } from './listen.ts'

export interface ScriptedConsul {
  /** Value of REGISTRY. */
  readonly address: string
  /** Replaces the passing instances, as `host:port`, and completes the waiting requests. */
  set(instances: readonly string[]): void
  /** Responds to every request with this status and body, until `set`. */
  failWith(status: number, body: string): void
  stop(): Promise<void>
}

/** A registry that follows the documentation of Consul's blocking queries, for tests of the bridge. */
export async function startScriptedConsul(wanted = 0): Promise<ScriptedConsul> {
  let index = 1
  let instances: readonly string[] = []
  let failure: { readonly status: number; readonly body: string } | undefined
  const waiting = new Set<ServerResponse>()

  function respond(res: ServerResponse): void {
    if (failure !== undefined) return void res.writeHead(failure.status).end(failure.body)
    const entries = instances.map((instance) => {
      const [, Address, Port] = /^(.*):(\d+)$/.exec(instance) ?? []
      return { Node: { Address: '' }, Service: { ID: instance, Address, Port: Number(Port) }, Checks: [] }
    })
    res.writeHead(200, { 'x-consul-index': String(index) }).end(JSON.stringify(entries))
  }

  const server = createServer((req, res) => {
    const known = Number(new URL(req.url ?? '', 'http://x').searchParams.get('index') ?? 0)
    if (known < index || failure !== undefined) return respond(res)
    waiting.add(res)
    res.once('close', () => waiting.delete(res))
  })
  const { port, stop } = await listen(server, wanted)

  function release(): void {
    index++
    for (const res of waiting) respond(res)
    waiting.clear()
  }
  return {
    address: `consul://127.0.0.1:${port}`,
    set(next) {
      instances = next
      failure = undefined
      release()
    },
    failWith(status, body) {
      failure = { status, body }
      release()
    },
    stop,
  }
}
