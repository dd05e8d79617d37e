import {
  type BridgeEvent,
  createBridge,
  createEnvoySink,
  createHaproxySink,
  createNginxSink,
  createStateFile,
  type NginxOptions,
  type Sink,
  type Watch,
  watchProbes,
} from '#pkg/bridge/index.ts'
import { connectRegistry, parseRegistry } from '#pkg/discovery/index.ts'
import { createLifecycle, type Part } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import { createListener, type Timeouts } from './server.ts'
import { logEvent, logLifecycle } from './telemetry/log-events.ts'
import { createServiceLog, type ServiceLogDeps } from './telemetry/service-log.ts'

type SinkAddress =
  | { readonly kind: 'envoy'; readonly host: string; readonly port: number }
  | { readonly kind: 'nginx'; readonly path: string }
  | { readonly kind: 'haproxy'; readonly path: string; readonly backend: string }

export interface BridgeDeps {
  /** Address of the registry, such as `consul://host:8500`. Undefined with `instances`. */
  readonly registry: string | undefined
  /** The instances to probe when there is no registry. */
  readonly instances: readonly { readonly host: string; readonly port: number }[] | undefined
  readonly password: string | undefined
  /** Name of the service in the registry. */
  readonly service: string
  readonly sink: SinkAddress
  readonly stateFile: string
  /** Pause between two requests to a registry that is polled, and between two probes, in milliseconds. */
  readonly pollMs: number
  readonly graceMs: number
  readonly allowEmpty: boolean
  /** The program of nginx with its arguments, and its environment, without secrets. */
  readonly nginx: Pick<NginxOptions, 'command' | 'environment'>
  /** The listener of the metrics. Port undefined or 0: no metrics. */
  readonly admin: { readonly host: string; readonly port: number | undefined }
  readonly log: Omit<ServiceLogDeps, 'context' | 'onLine'>
}

/** A publication may test nginx and reload it. Each command takes at most ten seconds. */
const STOP_TIMEOUT_MS = 25_000

/** Timeouts of the listeners. Their clients, a proxy and Prometheus, send small requests often. */
const TIMEOUTS: Timeouts = {
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 75_000,
  socketTimeoutMs: 90_000,
}

/** Maximum number of connections of Envoy, each with a file descriptor. */
const ENVOY_FILES = 64

type Use = (part: Part) => Promise<void>

/** Most instances in one log line. */
const MAX_LOGGED = 20

/** Runs the bridge until SIGTERM or SIGINT, and resolves with the exit code. */
export function runBridge(deps: BridgeDeps): Promise<0 | 1> {
  const { service, stateFile, allowEmpty } = deps
  // The grace lets instances register again. Instances that are checked do not register.
  const graceMs = deps.instances === undefined ? deps.graceMs : 0
  const { logger } = createServiceLog({ ...deps.log, context: { current: () => undefined }, onLine() {} })
  const lifecycle = createLifecycle({
    process,
    drainDelayMs: 0,
    shutdownTimeoutMs: STOP_TIMEOUT_MS,
    // The bridge has no settings that change.
    reload() {},
    onEvent: logLifecycle(logger),
  })
  return lifecycle.run(async (use) => {
    const { host, port } = deps.admin
    const metrics = port ? await startMetrics({ host, port }, logger, use) : undefined
    const watch = createWatch(deps)
    const sink = await createSink(deps, logger, use)
    const state = createStateFile(stateFile, service)
    const bridge = createBridge({
      ...{ graceMs, allowEmpty },
      // A fixed list of instances has no registry that may fail.
      watch: metrics && deps.registry !== undefined ? metrics.measureWatch(watch) : watch,
      sink: metrics?.measureSink('publish', sink) ?? sink,
      state: metrics?.measureSink('save', state) ?? state,
      onEvent: logBridge(logger, service),
    })
    await use({ name: 'bridge', ...bridge })
  })
}

async function startMetrics(address: { host: string; port: number }, logger: Logger, use: Use) {
  const { createMetrics } = await import('#pkg/metrics/index.ts')
  const { createAdmin } = await import('./telemetry/admin.ts')
  const { createBridgeMetrics } = await import('./telemetry/bridge-metrics.ts')
  const metrics = createMetrics()
  const bridgeMetrics = createBridgeMetrics(metrics.sources)
  await use(createAdmin({ ...address, reusePort: false, metrics, logger, ...TIMEOUTS }))
  return bridgeMetrics
}

function createWatch({ registry, instances = [], password, pollMs, service }: BridgeDeps): Watch {
  if (registry === undefined) return watchProbes({ instances, intervalMs: pollMs })
  return connectRegistry(parseRegistry(registry), { password, pollMs }).watch(service)
}

async function createSink({ sink, service, nginx }: BridgeDeps, logger: Logger, use: Use): Promise<Sink> {
  if (sink.kind === 'nginx') return createNginxSink({ path: sink.path, ...nginx })
  if (sink.kind === 'haproxy') return createHaproxySink(sink)
  const envoy = createEnvoySink({
    service,
    onRefused: (err) => logEvent(logger, 'warn', 'proxy request refused', { 'service.target.name': service, err }),
  })
  const { drain, handle, listen } = createListener({
    ...TIMEOUTS,
    name: 'bridge',
    logger,
    ownsSocket: true,
    reservedFiles: 0,
    openFiles: ENVOY_FILES,
    probe: () => false,
  })
  handle(envoy.handle)
  await use({
    name: 'http',
    start: () => listen({ host: sink.host, port: sink.port, setting: 'BRIDGE_SINK' }),
    drain: drain.begin,
    stop: drain.close,
  })
  return envoy
}

const LEVELS = {
  'registry lost': 'warn',
  'registry back': 'info',
  'registry empty': 'warn',
  'removals held': 'info',
  'instances changed': 'info',
  'instances invalid': 'warn',
  'proxy not updated': 'error',
  'proxy updated again': 'info',
  'list not read': 'warn',
  'list not saved': 'warn',
  'list saved again': 'info',
} as const

/** Logs each change of the registry, of the list and of the proxy. */
const logBridge = (logger: Logger, service: string) => (event: BridgeEvent) => {
  const isRegistry = event.type === 'registry lost' || event.type === 'registry back'
  logEvent(logger, LEVELS[event.type], event.type, {
    'service.target.name': isRegistry ? 'registry' : service,
    ...('error' in event && { err: event.error }),
    ...(event.type === 'removals held' && { 'App.bridge.held': event.endpoints.slice(0, MAX_LOGGED) }),
    ...(event.type === 'instances invalid' && { 'App.bridge.invalid': event.instances.slice(0, MAX_LOGGED) }),
    ...(event.type === 'instances changed' && {
      'App.bridge.instances': event.count,
      'App.upstream.added': event.added.slice(0, MAX_LOGGED),
      'App.upstream.removed': event.removed.slice(0, MAX_LOGGED),
    }),
  })
}
