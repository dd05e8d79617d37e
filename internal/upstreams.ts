import { deadline } from '#pkg/http/deadline.ts'
import type { RequestContext } from '#pkg/http/request-context.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Sources } from '#pkg/metrics/index.ts'
import type { Route } from '#pkg/operation/index.ts'
import { createUpstream, type Source, type Upstream, type UpstreamOptions } from '#pkg/upstream/index.ts'
import { payments } from './handler/payments.ts'
import { logUpstream } from './log-events.ts'
import { createPayments } from './service/payments.ts'
import { createUpstreamMetrics } from './upstream-metrics.ts'

/** The routes that need an upstream, by its name in UPSTREAMS. Without the upstream they do not exist. */
const ROUTES: readonly (readonly [upstream: string, list: (upstream: Upstream) => Route[]])[] = [
  ['payments', (upstream) => payments({ payments: createPayments({ upstream }) })],
]

export interface UpstreamsDeps extends Pick<UpstreamOptions, 'trace' | 'timeoutMs' | 'concurrency'> {
  readonly upstreams: readonly { readonly name: string; readonly source: Source }[]
  /** Returns the names of the upstreams whose circuits an operator holds open. */
  readonly open: () => readonly string[]
  readonly context: Pick<RequestContext, 'current' | 'run' | 'outgoingHeaders'>
  readonly logger: Logger
  /** @default no metrics */
  readonly sources?: Sources | undefined
}

/** Composes the clients of the services that this one calls. */
export function createUpstreams({ upstreams, open, context, logger, sources, ...options }: UpstreamsDeps) {
  const metrics = sources && createUpstreamMetrics(sources)
  const onEvent = logUpstream(logger)
  const clients = upstreams.map(({ name, source }) => {
    const measure = metrics?.observe(name)
    const client = createUpstream({
      ...options,
      name,
      source,
      isOpen: () => open().includes(name),
      onEvent,
      ...(measure && { onAttempt: measure }),
      context() {
        const current = context.current()
        return current && { ...current, traceHeaders: { ...context.outgoingHeaders() } }
      },
    })
    metrics?.report(client.report)
    return client
  })

  return {
    routes: clients.flatMap((client) => ROUTES.flatMap(([name, list]) => (name === client.name ? list(client) : []))),
    /** Returns the middleware that bounds the calls of a request to its time in milliseconds. */
    deadline: (timeoutMs: number) => deadline({ context, timeoutMs }),
    /** Reads the state in memory: the client itself probes its instances. */
    checks: clients.map((client) => ({ name: `upstream-${client.name}`, check: async () => requireUsable(client) })),
    /** Returns the state of each upstream. */
    report: () => clients.map(({ report }) => report()),
    start() {
      for (const client of clients) client.start()
    },
    stop() {
      for (const client of clients) client.stop()
    },
  }
}

/** @throws an error with a reason that a health response may show */
function requireUsable({ report }: Upstream): void {
  const { circuit, instances } = report()
  const fail = (reason: string, message: string) => {
    throw Object.assign(new Error(message), { reason })
  }
  if (circuit === 'open' || circuit === 'isolated') fail('unhealthy', `the circuit is ${circuit}`)
  if (instances.length === 0) fail('unresolved', 'no instance is known')
  if (instances.every(({ isFailing }) => isFailing)) fail('refused', 'every instance fails')
}
