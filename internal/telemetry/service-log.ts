import { renderFieldsAtOnce } from '#pkg/fast-path/log-line.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import { createLogger, createOutput, type OutputOptions } from '#pkg/logging/index.ts'
import { logEvent } from './log-events.ts'

export interface ServiceLogDeps extends Pick<OutputOptions, 'bufferBytes' | 'bufferMs'> {
  readonly level: string
  readonly service: string
  readonly version: string
  readonly context: Pick<RequestContext, 'current'>
  /** Receives each line. */
  readonly onLine: (line: string) => void
}

/** Creates the log of this service (docs/logs.md). Lines about a request have the ids of the request and its trace. */
export function createServiceLog({ level, service, version, context, onLine, ...options }: ServiceLogDeps) {
  const output = createOutput({
    ...options,
    onDropped: (lines) => logEvent(logger, 'error', 'log lines dropped', { 'App.log.dropped_lines': lines }),
  })
  process.on('exit', () => output.flushSync())
  const logger = createLogger({
    level,
    base: { 'service.name': service, 'service.version': version, 'process.pid': process.pid },
    destination: {
      write(line) {
        output.write(line)
        onLine(line)
      },
    },
    context(fields) {
      const request = 'http.request.id' in fields ? undefined : context.current()
      if (request === undefined) return undefined
      const { requestId, trace } = request
      return { 'http.request.id': requestId, 'trace.id': trace.traceId, 'span.id': trace.spanId }
    },
  })
  renderFieldsAtOnce(logger)
  return { logger, droppedLines: output.dropped }
}
