import { createServer } from 'node:http'
import { listen } from '../test/support/listen.ts'
import type { Environment } from './hung-stores.ts'

/** Starts a collector that accepts every span and forgets it. Resolves with the variables that lead to it. */
export async function startCollector(): Promise<Environment> {
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end('{}'))
  })
  const { url } = await listen(server.unref())
  return { OTEL_EXPORTER_OTLP_ENDPOINT: url }
}
