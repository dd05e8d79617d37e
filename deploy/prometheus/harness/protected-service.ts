import { createServer } from 'node:http'
import { type RunningApp, startApp } from '../../../test/support/app.ts'
import { listen } from '../../../test/support/listen.ts'

/**
 * Starts an instance with two upstreams, with overload protection and with traces. The upstreams and the collector are
 * stand-ins in this process. `/faults/call` calls `search`. The service only probes `stock`, so the circuit of `stock`
 * stays closed.
 */
export async function startProtectedService(program: readonly string[], env: Readonly<Record<string, string>>) {
  const state = { upstreamStatus: (_count: number) => 200, collectorStatus: 200 }
  let count = 0
  const search = await listen(
    createServer((request, response) => {
      const isProbe = request.url === '/health/ready'
      response.writeHead(isProbe ? 200 : state.upstreamStatus(count++)).end()
    }),
  )
  const listenAsStock = (port?: number) =>
    listen(
      createServer((_request, response) => response.end()),
      port,
    )
  let stock = await listenAsStock()
  const collector = await listen(
    createServer((request, response) => {
      request.resume().once('end', () => {
        response.writeHead(state.collectorStatus, { 'content-type': 'application/json' }).end('{}')
      })
    }),
  )
  const app: RunningApp = await startApp({
    program,
    env: {
      ...env,
      UPSTREAMS: `search=${search.url},stock=${stock.url}`,
      // With a shorter time, a busy machine causes refusals without the fault, which use the error budget.
      OVERLOAD_WAIT_MS: '100',
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  })
  return {
    url: app.url,
    /** Chooses the status of a response of `search` by its number. */
    respond(status: (count: number) => number): void {
      state.upstreamStatus = status
    },
    /** Sets the status of the collector. */
    collect(status: number): void {
      state.collectorStatus = status
    },
    stopStock: () => stock.stop(),
    async restartStock(): Promise<void> {
      stock = await listenAsStock(stock.port)
    },
    stop(): void {
      for (const server of [search, stock, collector]) server.stop()
    },
  }
}
