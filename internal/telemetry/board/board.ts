import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIP } from 'node:net'
import { getHeapStatistics } from 'node:v8'
import { type BoardOptions, createBoard, type Reading } from '#pkg/board/index.ts'
import type { Health } from '#pkg/health/index.ts'
import { requestId } from '#pkg/http/request-id.ts'
import { createSecurityPolicy } from '#pkg/http/security-headers.ts'
import type { Lifecycle } from '#pkg/lifecycle/index.ts'
import { measureLoop, readResidentMemory } from '#pkg/metrics/index.ts'
import { sendProblem } from '#pkg/problem/index.ts'
import { FILES, SOURCES } from './page.ts'

export interface ServiceBoardDeps extends Pick<BoardOptions, 'service' | 'version'> {
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot'>
  /** Returns the number of connections by pool and state. */
  readonly metrics: { connections(): readonly (readonly [pool: string, state: string, count: number])[] }
}

export type ServiceBoard = ReturnType<typeof createServiceBoard>

/** Serves the board on the admin listener (docs/board.md). */
export function createServiceBoard({ lifecycle, health, metrics, ...options }: ServiceBoardDeps) {
  const board = createBoard({ ...options, phase: lifecycle.phase, checks: () => health.snapshot().checks })
  const { headers } = createSecurityPolicy(SOURCES)
  const loop = measureLoop()
  board.addPanel({
    name: 'Event loop',
    read() {
      const readings: Reading[] = [
        { name: 'busy', value: loop.utilization(), unit: 'percent' },
        { name: 'delay P99', value: loop.delay.p99() * 1e3, unit: 'ms' },
        { name: 'longest delay', value: loop.delay.max() * 1e3, unit: 'ms' },
      ]
      loop.reset()
      return readings
    },
  })
  board.addPanel({
    name: 'Memory',
    read() {
      const { used_heap_size: heap, heap_size_limit: limit } = getHeapStatistics()
      const resident = readResidentMemory()
      return [
        ...(resident === undefined ? [] : [{ name: 'resident', value: resident, unit: 'bytes' as const }]),
        { name: 'heap', value: heap, unit: 'bytes', limit },
      ]
    },
  })
  board.addPanel({
    name: 'Connections',
    read: () => metrics.connections().map(([pool, state, value]) => ({ name: `${pool} ${state}`, value, unit: '' })),
  })

  function find(path: string, query: URLSearchParams): readonly [mediaType: string, text: string] {
    const file = FILES.get(path)
    if (file !== undefined) return file
    const id = query.get('q')
    return ['application/json', JSON.stringify(id === null ? board.read() : { found: board.find(id) })]
  }

  return {
    /** Receives every span, whether or not its trace is exported. */
    sink: { wants: () => true, onEnd: board.onSpan },
    onLine: board.onLine,
    addPanel: board.addPanel,
    /** Responds to the requests of the page and returns true; returns false for any other request. */
    respond(request: IncomingMessage, response: ServerResponse): boolean {
      const [path = '', query] = (request.url ?? '').split('?', 2)
      if (path !== '/board.json' && !FILES.has(path)) return false
      const options = { requestId: requestId(request) }
      if (!isLocalName(request.headers.host)) sendProblem(response, 'misdirected_request', options)
      else if (request.method !== 'GET' && request.method !== 'HEAD') {
        sendProblem(response, 'method_not_allowed', { ...options, headers: { allow: 'GET, HEAD' } })
      } else {
        const [mediaType, text] = find(path, new URLSearchParams(query))
        response.writeHead(200, [
          ...[...headers].flat(),
          ...['content-type', `${mediaType}; charset=utf-8`, 'content-length', String(Buffer.byteLength(text))],
          ...['cache-control', 'no-store'],
        ])
        response.end(text)
      }
      return true
    },
    stop() {
      board.stop()
      loop.stop()
    },
  }
}

/**
 * Returns whether a `Host` header is an address, localhost or a name without a dot. An attacker's page can make a
 * browser send requests to this address under the attacker's name (DNS rebinding), and every public name has a dot.
 */
export function isLocalName(host = ''): boolean {
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1')
  return isIP(name) > 0 || /^[a-z0-9_-]*$|\.localhost$/i.test(name)
}
