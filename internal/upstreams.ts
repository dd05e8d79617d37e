import type { Panel, Reading } from '#pkg/board/index.ts'
import type { Health } from '#pkg/health/index.ts'
import { deadline } from '#pkg/http/deadline.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'
import type { Route } from '#pkg/operation/index.ts'
import type { Tracer } from '#pkg/tracing/index.ts'
import {
  createUpstream,
  type Source,
  type Upstream,
  type UpstreamOptions,
  type UpstreamReport,
} from '#pkg/upstream/index.ts'
import { payments } from './handler/payments.ts'
import { createPayments } from './service/payments.ts'
import { logUpstream } from './telemetry/log-upstream.ts'
import { createUpstreamMetrics } from './telemetry/upstream-metrics.ts'

/** The routes that call an upstream, by its name in UPSTREAMS. Without the upstream, the routes do not exist. */
const ROUTES: readonly (readonly [upstream: string, list: (upstream: Upstream) => Route[]])[] = [
  ['payments', (upstream) => payments({ payments: createPayments({ upstream }) })],
]

export interface UpstreamsDeps extends Pick<UpstreamOptions, 'timeoutMs' | 'concurrency'> {
  readonly upstreams: readonly { readonly name: string; readonly source: Source }[]
  /** Time limit of a request to this service with its calls, in milliseconds. */
  readonly requestTimeoutMs: number
  /** Returns the names of the upstreams whose circuits an operator holds open. */
  readonly open: () => readonly string[]
  readonly context: Pick<RequestContext, 'current' | 'run' | 'outgoingHeaders'>
  readonly logger: Logger
  readonly health: Pick<Health, 'watch'>
  /** @default no panel */
  readonly board?: { addPanel(panel: Panel): void } | undefined
  /** @default no metrics */
  readonly sources?: Sources | undefined
  /** @default no spans */
  readonly tracer?: Pick<Tracer, 'trace'> | undefined
}

/** Composes the clients of other services, with their checks, metrics, spans and log lines. */
export function createUpstreams({
  upstreams,
  open,
  context,
  logger,
  health,
  board,
  sources,
  tracer,
  ...options
}: UpstreamsDeps) {
  const metrics = sources && createUpstreamMetrics(sources)
  const onEvent = logUpstream(logger)
  const clients = upstreams.map(({ name, source }) => {
    const client = createUpstream({
      ...options,
      name,
      source,
      isOpen: () => open().includes(name),
      onEvent,
      onAttempt: metrics?.observe(name),
      trace: tracer && ((spanName, attributes, work) => tracer.trace(spanName, { kind: 'client', attributes }, work)),
      context() {
        const current = context.current()
        return current && { ...current, traceHeaders: { ...context.outgoingHeaders() } }
      },
    })
    metrics?.report(client.report)
    // Not critical: otherwise a failing upstream would make all instances unready.
    health.watch({ name: `upstream-${name}`, check: async () => requireUsable(client.report()), critical: () => false })
    return client
  })

  board?.addPanel({ name: 'Upstreams', read: () => clients.flatMap(({ report }) => listReadings(report())) })

  return {
    routes: clients.flatMap((client) => ROUTES.flatMap(([name, list]) => (name === client.name ? list(client) : []))),
    /** Limits the calls of a request to the time of the request. */
    deadline: deadline({ context, timeoutMs: options.requestTimeoutMs }),
    part: {
      name: 'upstreams',
      start() {
        for (const client of clients) client.start()
      },
      stop() {
        for (const client of clients) client.stop()
      },
    },
  }
}

/**
 * The health check of an upstream. It reads the state in memory, because the client itself probes its instances.
 *
 * @throws an error with a reason that a health response may show
 */
export function requireUsable({ circuit, instances }: UpstreamReport): void {
  if (circuit === 'open' || circuit === 'isolated') fail('unhealthy', `the circuit is ${circuit}`)
  if (instances.length === 0) fail('unresolved', 'no instance is known')
  if (instances.every(({ isFailing }) => isFailing)) fail('refused', 'every instance fails')
}

function fail(reason: string, message: string): never {
  throw Object.assign(new Error(message), { reason })
}

function listReadings({
  upstream,
  circuit,
  inProgress,
  concurrency,
  retriesLeft,
  instances,
}: UpstreamReport): Reading[] {
  const ejected = instances.filter(({ isEjected }) => isEjected).length
  return [
    { name: `${upstream} calls in progress`, value: inProgress, unit: '', limit: concurrency },
    { name: `${upstream} instances ejected`, value: ejected, unit: '', limit: instances.length },
    { name: `${upstream} retries left`, value: retriesLeft, unit: '' },
    { name: `${upstream} circuit open`, value: Number(circuit === 'open' || circuit === 'isolated'), unit: '' },
  ]
}
