import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { createQuery } from './prometheus.ts'

const servers: ReturnType<typeof createServer>[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections()
})

async function start(respond: RequestListener) {
  const server = createServer(respond).listen(0, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
  return createQuery(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
}

test('a query fails when the response is too large', async () => {
  const hasResult = await start((_req, res) => res.write(`{"status":"${'x'.repeat(2 * 1024 * 1024)}`))
  await expect(hasResult('up')).rejects.toThrow('response of more than 1048576 bytes')
})

test('a query that Prometheus does not evaluate fails with its reason', async () => {
  const hasResult = await start((_req, res) => res.writeHead(400).end('{"status":"error","error":"parse error"}'))
  await expect(hasResult('up(')).rejects.toThrow('Prometheus did not evaluate the query: parse error')
})
