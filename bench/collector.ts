import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Environment } from './hung-stores.ts'

/** Starts a collector that accepts every span and forgets it. Resolves with the variables that lead to it. */
export async function startCollector(): Promise<Environment> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end('{}'))
  })
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }
}
