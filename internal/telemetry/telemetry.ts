import type { Health } from '#pkg/health/index.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import type { Lifecycle, Part } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { AdminDeps } from './admin.ts'
import type { Counts } from './metrics.ts'
import type { TracingDeps } from './tracing.ts'

export interface TelemetryDeps {
  readonly service: string
  readonly version: string
  readonly counts: Readonly<Counts>
  readonly droppedLines: () => number
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot'>
  readonly context: RequestContext
  readonly logger: Logger
  /** The listener for operators. Port 0: no metrics and no board. */
  readonly admin: Omit<AdminDeps, 'metrics' | 'board' | 'logger'>
  readonly hasBoard: boolean
  /** @default the spans are not exported */
  readonly exporter?: TracingDeps['exporter']
  /** Starts a component of the service, and stops it in reverse order. */
  readonly use: (part: Part) => Promise<void>
}

/** Composes the metrics, the board and the traces. Loads only the configured modules. */
export async function startTelemetry({ admin, hasBoard, exporter, use, ...deps }: TelemetryDeps) {
  const { service, version, counts, droppedLines, lifecycle, health, context, logger } = deps
  const { phase } = lifecycle
  const { snapshot } = health
  const metrics =
    admin.port === 0
      ? undefined
      : (await import('./metrics.ts')).createServiceMetrics({ service, version, counts, droppedLines, phase, snapshot })
  const board =
    metrics && hasBoard
      ? (await import('./board/board.ts')).createServiceBoard({ service, version, lifecycle, health, metrics })
      : undefined
  if (metrics) await use((await import('./admin.ts')).createAdmin({ ...admin, metrics, board, logger }))
  const sinks = board ? [board.sink] : []
  const tracing =
    (exporter || board) &&
    (await (await import('./tracing.ts')).createTracing({ context, logger, service, version, exporter, sinks }))
  if (tracing) {
    if (tracing.counts) metrics?.observeSpans(tracing.counts)
    await use(tracing.part)
  }
  return { metrics, board, tracing }
}
