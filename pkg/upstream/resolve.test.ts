import { createSocket } from 'node:dgram'
import dns from 'node:dns/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { client, closeAll, type Fake, GET, instance, json } from './fakes.ts'
import { originKey, resolve, SYSTEM_RESOLVER } from './resolve.ts'
import { createUpstream } from './upstream.ts'

afterEach(closeAll)

test('names are resolved again: a new instance is used, a removed instance is not, and a failed lookup changes nothing', async () => {
  const first = await instance((_req, res) => json(res, { from: 'first' }))
  const second = await instance((_req, res) => json(res, { from: 'second' }))
  let targets: { name: string; port: number; priority: number; weight: number }[] | Error = []
  const resolver = {
    addresses: () => Promise.reject(new Error('unexpected')),
    services: async () => {
      if (targets instanceof Error) throw targets
      return targets
    },
  }
  const { request, refresh, events } = await client([], {
    source: { type: 'srv', name: '_http._tcp.mail', protocol: 'http:' },
    resolver,
  })
  await expect(request(GET)).rejects.toMatchObject({ code: 'upstream_unavailable' })
  const target = ({ port }: Fake, priority = 1) => ({ name: '127.0.0.1', port, priority, weight: 1 })
  targets = [target(first), target(second, 2)]
  await refresh()
  expect((await request(GET)).body.toString()).toBe('{"from":"first"}')
  targets = [target(second)]
  await refresh()
  expect((await request(GET)).body.toString()).toBe('{"from":"second"}')
  expect(events.at(-1)).toMatchObject({ type: 'instances changed', removed: [`127.0.0.1:${first.port}`] })
  for (targets of [new Error('no name server'), []]) {
    await refresh()
    expect((await request(GET)).body.toString()).toBe('{"from":"second"}')
  }
  expect(events.at(-1)).toMatchObject({ type: 'not resolved' })
})

test('a second lookup does not start while a lookup is in progress', async () => {
  let lookups = 0
  const answer = Promise.withResolvers<string[]>()
  const resolver = {
    addresses() {
      lookups++
      return answer.promise
    },
    services: () => Promise.reject(new Error('unexpected')),
  }
  // client() awaits the first lookup, which ends only now.
  const starting = client([], { source: { type: 'dns', host: 'search', port: 80, protocol: 'http:' }, resolver })
  answer.resolve(['10.0.0.1'])
  const { refresh, report } = await starting
  await Promise.all([refresh(), refresh(), refresh()])
  expect(lookups).toBe(2)
  expect(report().instances).toMatchObject([{ origin: 'http://10.0.0.1:80' }])
})

test('a name has an instance for each address, and keeps the name as the host', async () => {
  const resolver = { addresses: async () => ['10.0.0.1', '10.0.0.2', '10.0.0.1'], services: async () => [] }
  expect(await resolve({ type: 'dns', host: 'search', port: 8080, protocol: 'http:' }, resolver)).toEqual([
    { protocol: 'http:', host: '10.0.0.1', port: 8080, authority: 'search:8080', serverName: 'search' },
    { protocol: 'http:', host: '10.0.0.2', port: 8080, authority: 'search:8080', serverName: 'search' },
  ])
})

test('the URL of an instance with an IPv6 address is valid', () => {
  const url = originKey({ protocol: 'http:', host: '2001:db8::1', port: 8080 })
  expect(url).toBe('http://[2001:db8::1]:8080')
})

test('the system resolves localhost, and rejects a name that does not exist', async () => {
  const found = await resolve({ type: 'dns', host: 'localhost', port: 80, protocol: 'http:' }, SYSTEM_RESOLVER)
  expect(found).toContainEqual(expect.objectContaining({ authority: 'localhost:80' }))
  const gone = resolve({ type: 'dns', host: 'does-not-exist.invalid', port: 80, protocol: 'http:' }, SYSTEM_RESOLVER)
  await expect(gone).rejects.toThrow()
})

test('an SRV record whose target is the root or whose port is 0 is no instance', async () => {
  const services = async () => [
    { name: '', port: 8080, priority: 1, weight: 1 },
    { name: '.', port: 8080, priority: 1, weight: 1 },
    { name: 'a.mail.test', port: 0, priority: 1, weight: 1 },
  ]
  const resolver = { addresses: async () => [], services }
  expect(await resolve({ type: 'srv', name: '_http._tcp.mail.test', protocol: 'http:' }, resolver)).toEqual([])
})

test('while the name server hangs, an open circuit rejects at once, and waiting calls fill the bulkhead', async () => {
  const lookup = Promise.withResolvers<string[]>()
  const resolver = { addresses: () => lookup.promise, services: async () => [] }
  const source = { type: 'dns', host: 'search', port: 80, protocol: 'http:' } as const
  let isOpen = true
  const upstream = createUpstream({ name: 'search', source, resolver, concurrency: 2, isOpen: () => isOpen })
  void upstream.refresh()
  await expect(upstream.request(GET)).rejects.toMatchObject({ cause: { reason: 'breaker' } })
  isOpen = false
  const waiting = [upstream.request(GET), upstream.request(GET)]
  await expect(upstream.request(GET)).rejects.toMatchObject({ cause: { reason: 'concurrency' } })
  lookup.resolve([])
  expect(await Promise.allSettled(waiting)).toMatchObject([{ status: 'rejected' }, { status: 'rejected' }])
  upstream.stop()
})

/** Encodes a name of DNS: each label after its length. */
const encodeName = (name: string) =>
  Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)])),
    Buffer.from([0]),
  ])

/** Responds to each question with these SRV records. */
function srvResponse(
  question: Buffer,
  records: readonly { priority: number; weight: number; port: number; name: string }[],
): Buffer {
  const header = Buffer.alloc(12)
  question.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8180, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(records.length, 6)
  const end = question.indexOf(0, 12) + 5
  const answers = records.map(({ priority, weight, port, name }) => {
    const target = encodeName(name)
    const record = Buffer.alloc(18)
    // A pointer to the name of the question, the type SRV, the class IN, and a time to live of a second.
    for (const [index, value] of [0xc00c, 33, 1, 0, 1, target.length + 6, priority, weight, port].entries()) {
      record.writeUInt16BE(value, index * 2)
    }
    return Buffer.concat([record, target])
  })
  return Buffer.concat([header, question.subarray(12, end), ...answers])
}

test('the records of a name server have ranks by priority, and a weight of 0 beside positive weights is a lower rank', async () => {
  const records = [
    { priority: 10, weight: 5, port: 8080, name: 'a.mail.test' },
    { priority: 20, weight: 0, port: 8081, name: 'backup.mail.test' },
    { priority: 10, weight: 60, port: 8082, name: 'b.mail.test' },
    { priority: 10, weight: 0, port: 8083, name: 'c.mail.test' },
    { priority: 30, weight: 5, port: 8080, name: 'a.mail.test' },
  ]
  const server = createSocket('udp4')
  server.on('message', (question, { port, address }) => server.send(srvResponse(question, records), port, address))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  const before = dns.getServers()
  dns.setServers([`127.0.0.1:${(server.address() as AddressInfo).port}`])
  try {
    const found = await resolve({ type: 'srv', name: '_http._tcp.mail.test', protocol: 'http:' }, SYSTEM_RESOLVER)
    expect(Object.fromEntries(found.map(({ authority, rank }) => [authority, rank]))).toEqual({
      'a.mail.test:8080': 10,
      'b.mail.test:8082': 10,
      'c.mail.test:8083': 10.5,
      'backup.mail.test:8081': 20,
    })
  } finally {
    dns.setServers(before)
    server.close()
  }
})
