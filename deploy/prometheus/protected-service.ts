import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type RunningApp, startApp } from '../../test/support/app.ts'

/**
 * Starts an instance with an upstream, with overload protection and with traces. The upstream and the collector are
 * stand-ins in this process.
 */
export async function startProtectedService(program: readonly string[], env: Readonly<Record<string, string>>) {
  const state = { upstreamStatus: (_count: number) => 200, collectorStatus: 200 }
  let count = 0
  const upstream = await listen((request, response) => {
    const isProbe = request.url === '/health/ready'
    response.writeHead(isProbe ? 200 : state.upstreamStatus(count++)).end()
  })
  const collector = await listen((request, response) => {
    request.resume().once('end', () => {
      response.writeHead(state.collectorStatus, { 'content-type': 'application/json' }).end('{}')
    })
  })
  const app: RunningApp = await startApp({
    program,
    env: {
      ...env,
      UPSTREAMS: `search=${upstream.url}`,
      OVERLOAD_WAIT_MS: '20',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  })
  return {
    url: app.url,
    /** Chooses the status of a response by its number. */
    respond(status: (count: number) => number): void {
      state.upstreamStatus = status
    },
    /** Sets the status of the collector. */
    collect(status: number): void {
      state.collectorStatus = status
    },
    stop(): void {
      for (const { server } of [upstream, collector]) {
        server.close()
        server.closeAllConnections()
      }
    },
  }
}

async function listen(handler: RequestListener): Promise<{ readonly server: Server; readonly url: string }> {
  const server = createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}
