import type { IncomingMessage, ServerResponse } from 'node:http'
import { requestId } from '#pkg/http/request-id.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Metrics } from '#pkg/metrics/index.ts'
import { sendProblem } from '#pkg/problem/index.ts'
import { createListener, type Timeouts } from '../server.ts'
import type { ServiceBoard } from './board/board.ts'
import { logEvent } from './log-events.ts'

/** Maximum number of connections to the admin port, each with a file descriptor. */
const ADMIN_FILES = 64

export interface AdminDeps extends Timeouts {
  readonly host: string
  readonly port: number
  /** Listens on a free port when another process has taken `port`. @default false: the start fails */
  readonly canMove?: boolean
  readonly reusePort: boolean
  readonly metrics: Pick<Metrics, 'render' | 'stop'>
  /** Serves the board. @default no board */
  readonly board?: Pick<ServiceBoard, 'respond' | 'stop'> | undefined
  readonly logger: Logger
}

/** Creates the second listener, which serves `GET /metrics` and the board to operators until the end of the stop. */
export function createAdmin({ host, port, canMove = false, reusePort, ...deps }: AdminDeps) {
  const { metrics, board, logger, ...timeouts } = deps
  const { drain, handle, listen } = createListener({
    ...timeouts,
    name: 'admin',
    logger,
    probe,
    ownsSocket: true,
    reservedFiles: 0,
    openFiles: ADMIN_FILES,
  })
  handle((request, response) => sendProblem(response, 'not_found', { requestId: requestId(request) }))

  function probe(request: IncomingMessage, response: ServerResponse): boolean {
    if (board?.respond(request, response)) return true
    if (request.url?.split('?', 1)[0] !== '/metrics') return false
    if (request.method === 'GET' || request.method === 'HEAD') void sendMetrics(request, response)
    else sendProblem(response, 'method_not_allowed', { requestId: requestId(request), headers: { allow: 'GET, HEAD' } })
    return true
  }

  async function sendMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { contentType, text } = await metrics.render(request.headers.accept)
      response.writeHead(200, {
        'content-type': contentType,
        'content-length': Buffer.byteLength(text),
        'cache-control': 'no-store',
        vary: 'accept',
      })
      response.end(text)
    } catch (err) {
      logEvent(logger, 'error', 'metrics not rendered', { err })
      sendProblem(response, 'internal', { requestId: requestId(request) })
    }
  }

  return {
    name: 'admin',
    async start() {
      const address = { host, setting: 'ADMIN_PORT' }
      try {
        await listen({ ...address, port, reusePort }, 'admin listening')
      } catch (error) {
        const { cause } = error as { readonly cause?: NodeJS.ErrnoException }
        if (!canMove || cause?.code !== 'EADDRINUSE') throw error
        logEvent(logger, 'warn', 'admin port taken', { 'server.port': port })
        await listen({ ...address, port: 0 }, 'admin listening')
      }
    },
    drain: () => drain.begin(),
    async stop(signal: AbortSignal) {
      // A scraper that does not read its response delays the stop by a second at most.
      await drain.close(AbortSignal.any([signal, AbortSignal.timeout(1_000)]))
      metrics.stop()
      board?.stop()
    },
  }
}
