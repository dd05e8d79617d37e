import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach } from '@jest/globals'
import type { Instance, Watch } from './registry.ts'
import { createRegistryClient, type RegistryClient } from './registry-client.ts'

type Respond = (req: IncomingMessage, res: ServerResponse) => unknown

/** Provides each test with a registry: a real HTTP server with scripted responses. Stops its watches after the test. */
export function useScriptedServer() {
  let respond: Respond
  let server: Server
  const observed: { stop(): Promise<void> }[] = []
  beforeEach(async () => {
    respond = (_req, res) => res.writeHead(500).end()
    server = createServer((req, res) => respond(req, res)).listen(0, '127.0.0.1')
    await once(server, 'listening')
  })
  afterEach(async () => {
    for (const each of observed.splice(0)) await each.stop()
    server.close()
    server.closeAllConnections()
  })
  return {
    /** Runs a watch, and collects its outcomes in order. Only a hanging server needs a short time limit. */
    observe(create: (client: RegistryClient) => Watch, timeoutMs = 60_000) {
      const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
      const started = observe(create(createRegistryClient({ origin, timeoutMs })))
      observed.push(started)
      return started
    },
    respondWith(next: Respond) {
      respond = next
    },
    respondJson(body: unknown, status = 200, headers: Record<string, string> = {}) {
      respond = (_req, res) => res.writeHead(status, headers).end(JSON.stringify(body))
    },
  }
}

type Outcome = readonly Instance[] | Error

function observe(watch: Watch) {
  const end = new AbortController()
  const outcomes: Outcome[] = []
  let arrived = Promise.withResolvers<void>()
  const add = (outcome: Outcome) => {
    outcomes.push(outcome)
    arrived.resolve()
    arrived = Promise.withResolvers()
  }
  const done = watch(add, add, end.signal)
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
