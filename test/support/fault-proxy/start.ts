import { createServer, type IncomingMessage } from 'node:http'
import { json } from 'node:stream/consumers'
import { listen } from '../listen.ts'
import type { Toxic } from './link.ts'
import { createTcpProxy, type TcpProxy } from './proxy.ts'
import { TOXICS } from './toxics.ts'

/*
 * A TCP proxy with the HTTP API of Toxiproxy (https://github.com/Shopify/toxiproxy#http-api), without its /populate,
 * /version and /metrics, and without changes of a toxic and of an address. Unlike Toxiproxy, it rejects unknown
 * attributes.
 */

class ApiError extends Error {
  readonly status: number
  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

type Body = Readonly<Record<string, unknown>>

async function readBody(request: IncomingMessage): Promise<Body> {
  try {
    return (await json(request)) as Body
  } catch (error) {
    throw new ApiError(400, `bad request body: ${(error as Error).message}`)
  }
}

/** @throws ApiError 400 for an unknown type, stream or attribute */
function readToxic(body: Body): Toxic {
  const { type = '', stream = 'downstream', name = `${type}_${stream}`, toxicity = 1 } = body
  if (stream !== 'upstream' && stream !== 'downstream') {
    throw new ApiError(400, 'stream was invalid, can be either upstream or downstream')
  }
  const known = TOXICS[String(type)]
  if (known === undefined) throw new ApiError(400, 'invalid toxic type')
  const attributes = { ...known.defaults, ...(body['attributes'] as Toxic['attributes'] | undefined) }
  for (const [key, value] of Object.entries(attributes)) {
    if (!(key in known.defaults)) throw new ApiError(400, `bad request body: ${type} has no attribute ${key}`)
    if (typeof value !== 'number') throw new ApiError(400, `bad request body: ${key} is not a number`)
  }
  return { attributes, name: String(name), type: String(type), stream, toxicity: Number(toxicity) }
}

function createApi() {
  const proxies = new Map<string, TcpProxy>()

  function find(name: string): TcpProxy {
    const proxy = proxies.get(name)
    if (proxy === undefined) throw new ApiError(404, 'proxy not found')
    return proxy
  }

  async function create(body: Body) {
    const { name = '', listen = '127.0.0.1:0', upstream = '', enabled = true } = body
    for (const [key, value] of Object.entries({ name, upstream })) {
      if (typeof value !== 'string' || value === '') throw new ApiError(400, `missing required field: ${key}`)
    }
    if (proxies.has(String(name))) throw new ApiError(409, 'proxy already exists')
    const proxy = createTcpProxy({ name: String(name), listen: String(listen), upstream: String(upstream) })
    if (enabled) await proxy.enable(true)
    proxies.set(String(name), proxy)
    return proxy.state()
  }

  function addToxic(proxy: TcpProxy, body: Body) {
    const toxic = readToxic(body)
    if (proxy.state().toxics.some(({ name }) => name === toxic.name)) throw new ApiError(409, 'toxic already exists')
    proxy.add(toxic)
    return toxic
  }

  function removeToxic(proxy: TcpProxy, name: string) {
    const toxic = proxy.state().toxics.find((each) => each.name === name)
    if (toxic === undefined) throw new ApiError(404, 'toxic not found')
    proxy.remove(toxic)
  }

  async function reset() {
    for (const proxy of proxies.values()) {
      await proxy.enable(true)
      proxy.state().toxics.forEach(proxy.remove)
    }
  }

  /** Handles a request. Resolves with the status and the body. @throws ApiError */
  return async function handle(request: IncomingMessage): Promise<[status: number, body?: unknown]> {
    const method = request.method === 'PATCH' ? 'POST' : (request.method ?? 'GET')
    const [, root, name = '', part, toxic = ''] = (request.url ?? '').split('/').map(decodeURIComponent)
    const pattern = [method, root, ...(name && [':proxy']), ...(part ? [part] : []), ...(toxic && [':toxic'])].join(' ')
    switch (pattern) {
      case 'POST reset':
        await reset()
        return [204]
      case 'GET proxies':
        return [200, Object.fromEntries([...proxies].map(([name, proxy]) => [name, proxy.state()]))]
      case 'POST proxies':
        return [201, await create(await readBody(request))]
      case 'GET proxies :proxy':
        return [200, find(name).state()]
      case 'POST proxies :proxy': {
        const { enabled } = await readBody(request)
        if (typeof enabled === 'boolean') await find(name).enable(enabled)
        return [200, find(name).state()]
      }
      case 'DELETE proxies :proxy':
        await find(name).enable(false)
        proxies.delete(name)
        return [204]
      case 'GET proxies :proxy toxics':
        return [200, find(name).state().toxics]
      case 'POST proxies :proxy toxics':
        return [200, addToxic(find(name), await readBody(request))]
      case 'DELETE proxies :proxy toxics :toxic':
        removeToxic(find(name), toxic)
        return [204]
      default:
        throw new ApiError(404, 'no such page')
    }
  }
}

export interface FaultProxy {
  /** The base URL of the API. */
  readonly url: string
  /** Removes every proxy. */
  stop(): Promise<void>
}

/** Starts the API in this process, on a free port of the loopback address. */
export async function startFaultProxy(): Promise<FaultProxy> {
  const handle = createApi()
  const server = createServer((request, response) => {
    const send = (status: number, body?: unknown) => {
      if (body === undefined) response.writeHead(status).end()
      else response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    handle(request).then(
      ([status, body]) => send(status, body),
      (error: Error) => {
        const status = error instanceof ApiError ? error.status : 500
        send(status, { error: error.message, status })
      },
    )
  })
  const { url, stop } = await listen(server)
  return {
    url,
    async stop() {
      const proxies = (await (await fetch(`${url}/proxies`)).json()) as Record<string, unknown>
      await Promise.all(Object.keys(proxies).map((name) => fetch(`${url}/proxies/${name}`, { method: 'DELETE' })))
      await stop()
    },
  }
}
