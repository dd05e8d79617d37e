import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createRegistryClient } from './registry-client.ts'
import type { Instance, Watch } from './watch.ts'

type Respond = (req: IncomingMessage, res: ServerResponse) => unknown

/** A registry for tests: a real HTTP server with scripted responses. */
export async function createScriptedServer() {
  const server = createServer((req, res) => respond(req, res)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  let respond: Respond = (_req, res) => res.writeHead(500).end()
  return {
    client: createRegistryClient({ origin, timeoutMs: 500 }),
    respondWith(next: Respond) {
      respond = next
    },
    respondJson(body: unknown, status = 200, headers: Record<string, string> = {}) {
      respond = (_req, res) => res.writeHead(status, headers).end(JSON.stringify(body))
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

type Outcome = readonly Instance[] | Error

/** Runs a watch and collects its outcomes in order. */
export function observe({ watch }: Watch, service = 'orders') {
  const end = new AbortController()
  const outcomes: Outcome[] = []
  let arrived = Promise.withResolvers<void>()
  const add = (outcome: Outcome) => {
    outcomes.push(outcome)
    arrived.resolve()
    arrived = Promise.withResolvers()
  }
  const done = watch(service, add, add, end.signal)
  return {
    outcomes,
    /** Resolves with the first outcome after the call that `accept` accepts. */
    async next(accept: (outcome: Outcome) => boolean = () => true): Promise<Outcome> {
      for (;;) {
        await arrived.promise
        const last = outcomes.at(-1)
        if (last !== undefined && accept(last)) return last
      }
    },
    async stop() {
      end.abort()
      await done
    },
  }
}

/** Responses that are no list of instances: broken proxies, HTML pages, and other shapes of JSON. */
export const GARBAGE = ['', '<html>', 'null', '7', '"x"', '{}', '{"application":{}}', '{"code":0}', '[', '\u0000']
