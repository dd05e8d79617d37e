import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { RegistryKind } from './registry-address.ts'

/** Addresses that both the configuration and `parseRegistry` refuse. */
export const INVALID_ADDRESSES = [
  'consul://',
  'consul://user@host',
  'consul://host/path',
  'consul://host:0',
  'consul://host:65536',
  'consul://host?token=s3cret',
  'nacos://user:s3cret@host',
  'nacos://user:s3cr/et@host',
  'nacos://us%er@host',
  'nacos://host/namespace/group/more',
  'eureka://host//eureka',
]

/** A response instead of the correct response. A promise delays the correct response until it resolves. */
type Fault = 'hang' | 'endless' | { readonly status: number; readonly body: string } | Promise<void> | undefined

/** A request in the terms of a registry. */
type Call = 'register' | 'renew' | 'deregister' | 'log in'

interface Entry {
  readonly id: string
  readonly host: string
  readonly port: number
  readonly isReady: boolean
}

export interface FakeRegistryOptions {
  readonly kind: RegistryKind
  /** Requests without it get 403. @default every request is accepted */
  readonly password?: string
}

interface Response {
  readonly status: number
  readonly body?: string
  readonly call: Call
}

export type FakeRegistry = Awaited<ReturnType<typeof startFakeRegistry>>

/**
 * Starts a registry that follows the API of its kind: the calls of a registration, their status codes, and the error for
 * an instance that it does not have. A fault applies to all responses while it is set.
 */
export async function startFakeRegistry({ kind, password }: FakeRegistryOptions) {
  const entries = new Map<string, Entry>()
  const calls: Call[] = []
  const waiting = new Set<() => void>()
  let server: Server | undefined
  let port = 0
  let fault: Fault

  function notify(): void {
    for (const check of waiting) check()
  }

  const answer = { consul: answerConsul, nacos: answerNacos, eureka: answerEureka }[kind]

  async function listen(): Promise<void> {
    server = createServer(async (req, res) => {
      const body = await text(req)
      const response = answer(req, new URL(req.url ?? '', 'http://registry'), body, entries, password)
      calls.push(response.call)
      notify()
      if (fault instanceof Promise) await fault.then(() => res.writeHead(response.status).end(response.body))
      else if (fault === undefined) res.writeHead(response.status).end(response.body)
      else if (fault === 'endless') for (let sent = 0; sent < 32; sent++) res.write('x'.repeat(1024 * 1024))
      else if (fault !== 'hang') res.writeHead(fault.status).end(fault.body)
    }).listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }

  await listen()
  const path = { consul: '', nacos: '/public/DEFAULT_GROUP', eureka: '/eureka' }[kind]
  const user = password === undefined || kind === 'consul' ? '' : 'writer@'
  return {
    url: `${kind}://${user}127.0.0.1:${port}${path}`,
    /** The registered instances by id, or by `host:port` in Nacos. */
    entries,
    /** The calls since the start, in order. */
    calls,
    /** Resolves when `condition` holds. It is checked after each request. */
    async until(condition: () => boolean): Promise<void> {
      if (condition()) return
      const { promise, resolve } = Promise.withResolvers<void>()
      const check = () => condition() && resolve()
      waiting.add(check)
      await promise
      waiting.delete(check)
    },
    setFault(next: Fault): void {
      fault = next
    },
    /** Ends the server. Its connections are reset. */
    async stop(): Promise<void> {
      const stopped = server
      if (stopped === undefined) return
      server = undefined
      const closed = once(stopped, 'close')
      stopped.close()
      stopped.closeAllConnections()
      await closed
    },
    /** Starts the server again on the same port, without its entries. */
    async restartEmpty(): Promise<void> {
      entries.clear()
      await listen()
    },
  }
}

type Answer = (
  req: IncomingMessage,
  url: URL,
  body: string,
  entries: Map<string, Entry>,
  password: string | undefined,
) => Response

const answerConsul: Answer = ({ method, headers }, { pathname }, body, entries, password) => {
  const [, operation = '', argument = ''] =
    /^\/v1\/agent\/(service\/register|service\/deregister|check\/update)\/?(.*)$/.exec(pathname) ?? []
  const call = ({ 'service/register': 'register', 'check/update': 'renew' } as const)[operation] ?? 'deregister'
  if (method !== 'PUT' || operation === '') return { status: 404, call }
  if (password && headers['x-consul-token'] !== password) return { status: 403, body: 'Permission denied', call }
  const sent = body === '' ? {} : JSON.parse(body)
  if (call === 'register') {
    const known = entries.get(sent.ID)
    // The agent keeps the status of a known check.
    const isReady = known?.isReady ?? sent.Check.Status === 'passing'
    entries.set(sent.ID, { id: sent.ID, host: sent.Address ?? '', port: sent.Port, isReady })
    return { status: 200, call }
  }
  const id = decodeURIComponent(argument).replace(/^service:/, '')
  const entry = entries.get(id)
  if (entry === undefined) return { status: 404, body: `Unknown check or service ID ${id}`, call }
  if (call === 'renew') entries.set(id, { ...entry, isReady: sent.Status === 'passing' })
  else entries.delete(id)
  return { status: 200, call }
}

const NACOS_TOKEN = 'header.payload.signature'

const answerNacos: Answer = ({ method, headers }, { pathname, searchParams }, body, entries, password) => {
  const fields = method === 'DELETE' ? searchParams : new URLSearchParams(body)
  const field = (name: string) => fields.get(name) ?? ''
  const result = (code: number, data: unknown) => JSON.stringify({ code, message: code ? 'error' : 'success', data })
  if (pathname === '/nacos/v3/auth/user/login') {
    const isValid = !password || (field('username') === 'writer' && field('password') === password)
    const token = JSON.stringify({ accessToken: NACOS_TOKEN, tokenTtl: 18_000, globalAdmin: false })
    return isValid
      ? { status: 200, body: token, call: 'log in' }
      : { status: 403, body: 'unknown user!', call: 'log in' }
  }
  const isRenewal = field('heartBeat') === 'true'
  const call = method === 'DELETE' ? 'deregister' : isRenewal ? 'renew' : 'register'
  if (pathname !== '/nacos/v3/client/ns/instance') return { status: 404, call }
  if (password && headers['accesstoken'] !== NACOS_TOKEN) return { status: 403, body: result(403, 'no token'), call }
  const id = `${field('ip')}:${field('port')}`
  if (call === 'register') {
    const isReady = field('enabled') === 'true'
    entries.set(id, { id, host: field('ip'), port: Number(field('port')), isReady })
  } else if (call === 'deregister') entries.delete(id)
  else if (!entries.has(id)) return { status: 200, body: result(21_003, null), call }
  return { status: 200, body: result(0, 'ok'), call }
}

const answerEureka: Answer = ({ method = '', headers }, { pathname, searchParams }, body, entries, password) => {
  const call = ({ POST: 'register', PUT: 'renew' } as const)[method] ?? 'deregister'
  const [, application = '', id = ''] = /^\/eureka\/apps\/([A-Z0-9-]+)\/?(.*)$/.exec(pathname) ?? []
  const credentials = `Basic ${Buffer.from(`writer:${password}`).toString('base64')}`
  if (password && headers.authorization !== credentials) return { status: 401, call }
  if (call === 'register') {
    const { instance } = JSON.parse(body)
    if (instance.app !== application) return { status: 400, body: 'Mismatched appName', call }
    const isDown = ['DOWN', 'STARTING'].includes(instance.status)
    // The server keeps UP when the instance sends another status, such as OUT_OF_SERVICE.
    const isReady = !isDown && (entries.get(instance.instanceId)?.isReady || instance.status === 'UP')
    entries.set(instance.instanceId, { id: instance.instanceId, host: instance.ipAddr, port: instance.port.$, isReady })
    return { status: 204, call }
  }
  const known = decodeURIComponent(id)
  const isKnown =
    call === 'renew' ? entries.has(known) && searchParams.has('lastDirtyTimestamp') : entries.delete(known)
  return { status: isKnown ? 200 : 404, call }
}
