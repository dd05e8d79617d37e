import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { watchProbes } from './watch-probes.ts'

const open: { stop(): unknown }[] = []
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each.stop()
})

/** Starts an instance whose status the test sets. With `undefined`, it accepts connections and does not respond. */
async function startInstance(status: number | undefined) {
  const state = { status, port: 0, probes: 0 }
  const server = createServer((request, response) => {
    if (request.url === '/health/ready') state.probes++
    const headers = state.status === 101 ? { connection: 'upgrade', upgrade: 'x' } : {}
    if (state.status !== undefined) response.writeHead(state.status, headers).end()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  state.port = (server.address() as AddressInfo).port
  open.push({
    stop() {
      server.close()
      server.closeAllConnections()
    },
  })
  return state
}

type State = Awaited<ReturnType<typeof startInstance>>

/** Watches the instances. `next` resolves with the ports of the next list. */
function watch(instances: readonly State[]) {
  const end = new AbortController()
  const lists: number[][] = []
  let wake = () => {}
  const addresses = instances.map(({ port }) => ({ host: '127.0.0.1', port }))
  const probing = watchProbes({ instances: addresses, intervalMs: 20, timeoutMs: 1_000 })
  const done = probing(
    (list) => {
      lists.push(list.map(({ port }) => port))
      wake()
    },
    () => {},
    end.signal,
  )
  open.push({
    async stop() {
      end.abort()
      await done
    },
  })
  return {
    async next(): Promise<readonly number[]> {
      while (lists.length === 0) await new Promise<void>((resolve) => (wake = resolve))
      return lists.shift()!
    },
  }
}

test('an instance that is not ready or does not respond leaves the list, and returns with its first success', async () => {
  const instances = await Promise.all([200, 200, 503].map(startInstance))
  const [first, second, third] = instances
  const { next } = watch(instances)
  // The first list contains every instance that is ready.
  expect(await next()).toEqual([first!.port, second!.port])
  third!.status = 200
  expect(await next()).toEqual([first!.port, second!.port, third!.port])
  first!.status = undefined
  expect(await next()).toEqual([second!.port, third!.port])
  second!.status = 503
  expect(await next()).toEqual([third!.port])
  first!.status = 200
  expect(await next()).toEqual([first!.port, third!.port])
})

test('without a usable instance the list is empty, and the bridge decides', async () => {
  const instance = await startInstance(undefined)
  const { next } = watch([instance])
  expect(await next()).toEqual([])
  // Two consecutive failures decide.
  expect(instance.probes).toBe(2)
})

test('an instance that responds with 101 is not usable, and does not hold the probes', async () => {
  const instance = await startInstance(101)
  const { next } = watch([instance])
  expect(await next()).toEqual([])
  instance.status = 200
  expect(await next()).toEqual([instance.port])
})
