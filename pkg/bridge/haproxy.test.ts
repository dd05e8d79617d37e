import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { createHaproxySink } from './haproxy.ts'

let directory: string
let path: string
const open: { close(): void }[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'haproxy-'))
  path = join(directory, 'admin.sock')
})
afterEach(() => {
  for (const each of open.splice(0)) each.close()
  rmSync(directory, { recursive: true, force: true })
})

/** Starts an admin socket that responds to each line and then closes the connection, as HAProxy does. */
async function serve(respond: (line: string, socket: Socket) => string | undefined) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.setEncoding('utf8')
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (chunk: string) => {
      text += chunk
      if (!text.endsWith('\n')) return
      const response = respond(text.trim(), socket)
      if (response !== undefined) socket.end(response)
    })
  }).listen(path)
  await once(server, 'listening')
  open.push({
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  })
}

interface Server {
  host: string
  port: string
  state: string
  weight: string
}

/** HAProxy with a backend `orders` of `count` slots. */
async function startStandIn(count: number) {
  const slots = new Map<string, Server>()
  const lines: string[] = []
  const fill = () => {
    for (let n = 1; n <= count; n++) {
      slots.set(`slot${n}`, { host: '127.0.0.1', port: '1', state: 'maint', weight: '1' })
    }
  }
  fill()
  const BITS: Record<string, number> = { ready: 0, maint: 1, drain: 8 }

  function carryOut(command: string): string {
    if (command === 'show servers state orders') {
      const rows = [...slots].map(([name, s]) => `3 ${name} ${s.host} ${BITS[s.state]} ${s.weight} ${s.port}`)
      return ['1', '# be_id srv_name srv_addr srv_admin_state srv_uweight srv_port', ...rows, ''].join('\n')
    }
    const [, name = '', verb, ...values] = /^set server orders\/(\S+) (\S+) (\S+)(?: port (\S+))?$/.exec(command) ?? []
    const slot = slots.get(name)
    if (slot === undefined) return 'No such server.\n'
    if (verb === 'addr') Object.assign(slot, { host: values[0], port: values[1] })
    else if (verb === 'state') slot.state = values[0] ?? ''
    else slot.weight = values[0] ?? ''
    return '\n'
  }

  await serve((line) => {
    lines.push(line)
    return line.split(';').map(carryOut).join('')
  })
  return {
    lines,
    restart: fill,
    ready: () => [...slots.values()].filter((s) => s.state === 'ready').map((s) => `${s.host}:${s.port}`),
  }
}

const list = (count: number) => Array.from({ length: count }, (_, i) => ({ host: '10.0.0.1', port: i + 1, weight: 1 }))
const createSink = (timeoutMs = 3_000) => createHaproxySink({ path, backend: 'orders', timeoutMs })

test('the endpoints are put into slots, and removed ones get no requests', async () => {
  const { ready } = await startStandIn(5)
  const sink = createSink()
  await sink.publish(list(5))
  expect(ready()).toEqual(['10.0.0.1:1', '10.0.0.1:2', '10.0.0.1:3', '10.0.0.1:4', '10.0.0.1:5'])
  await sink.publish(list(2))
  expect(ready()).toEqual(['10.0.0.1:1', '10.0.0.1:2'])
})

test('an unchanged list only reads the slots', async () => {
  const { lines } = await startStandIn(5)
  const sink = createSink()
  await sink.publish(list(2))
  lines.splice(0)
  await sink.publish(list(2))
  expect(lines).toEqual(['show servers state orders'])
})

test('after a restart of HAProxy the slots are filled again', async () => {
  const { ready, restart } = await startStandIn(5)
  const sink = createSink()
  await sink.publish(list(2))
  restart()
  expect(ready()).toEqual([])
  await sink.publish(list(2))
  expect(ready()).toHaveLength(2)
})

test('more endpoints than slots fill all slots, and the error names the rest', async () => {
  const { ready } = await startStandIn(2)
  await expect(createSink().publish(list(4))).rejects.toThrow(
    'HAProxy backend orders needs 2 more slots, for 10.0.0.1:3, 10.0.0.1:4',
  )
  expect(ready()).toHaveLength(2)
})

test('10,000 endpoints fit in lines that HAProxy can read', async () => {
  const { ready, lines } = await startStandIn(10_000)
  await createSink(30_000).publish(list(10_000))
  expect(ready()).toHaveLength(10_000)
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(8_000)
})

test('a HAProxy that is down is an error', async () => {
  await expect(createSink().publish(list(1))).rejects.toThrow(/orders: .*admin\.sock: connect ENOENT/)
})

test('a HAProxy that hangs is an error', async () => {
  await serve(() => undefined)
  await expect(createSink(20).publish(list(1))).rejects.toThrow('no response within 20 ms')
})

test('a HAProxy that closes the connection is an error', async () => {
  await serve((_line, socket) => {
    socket.destroy()
    return undefined
  })
  await expect(createSink().publish(list(1))).rejects.toThrow('HAProxy backend orders')
})

test('a backend without slots is an error that says how to add them', async () => {
  await startStandIn(0)
  await expect(createSink().publish(list(1))).rejects.toThrow('no server named slot1: add a server-template')
})

test('a socket without the level admin is an error with the text of HAProxy', async () => {
  const header = '1\n# be_id srv_name srv_addr srv_admin_state srv_uweight srv_port\n3 slot1 127.0.0.1 1 1 1\n'
  await serve((line) => (line.startsWith('show') ? header : 'Permission denied\n'))
  await expect(createSink().publish(list(1))).rejects.toThrow(
    'HAProxy did not accept "set server orders/slot1 addr 10.0.0.1 port 1": Permission denied',
  )
})
