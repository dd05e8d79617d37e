import { existsSync } from 'node:fs'
import { createRequestContext } from '#pkg/http/request-context.ts'
import { createLifecycle } from '#pkg/lifecycle/index.ts'
import {
  createActions,
  createQuery,
  createResponder,
  createRobot,
  createRun,
  createStateFile,
  type Rules,
} from '#pkg/respond/index.ts'
import { buildInfo } from './build-info.ts'
import { alerts } from './handler/alerts.ts'
import { createListener, type Timeouts } from './server.ts'
import { logClientError, logEvent, logLifecycle } from './telemetry/log-events.ts'
import { logLostMessage, logResponder, logRestore } from './telemetry/respond-log.ts'
import { createServiceLog } from './telemetry/service-log.ts'

export interface RespondOptions {
  readonly service: string
  readonly log: { readonly level: string; readonly bufferBytes: number; readonly bufferMs: number }
  readonly timeouts: Timeouts
  readonly host: string
  readonly port: number
  readonly shutdownTimeoutMs: number
  readonly rules: Rules
  readonly secret: string
  readonly stateFile: string
  readonly dryRun: boolean
  readonly settingsFile: string | undefined
  /** The values of the environment for settings that SETTINGS_FILE does not have. */
  readonly defaults: { readonly UPSTREAM_OPEN: readonly string[]; readonly FEATURES: readonly string[] }
  readonly wecomUrl: string | undefined
  readonly prometheusUrl: string | undefined
  /** The environment of the commands, without secrets. */
  readonly environment: Readonly<Record<string, string | undefined>>
}

const TICK_MS = 1_000

/** Runs the responder (docs/responder.md) until SIGTERM or SIGINT, and resolves with the exit code. */
export function runResponder(options: RespondOptions): Promise<0 | 1> {
  const { service, host, port, rules, stateFile, dryRun, wecomUrl, prometheusUrl } = options
  const { version } = buildInfo
  const { logger } = createServiceLog({
    ...options.log,
    ...{ service, version, context: createRequestContext(), onLine: () => {} },
  })
  const lifecycle = createLifecycle({
    process,
    // Alertmanager retries, so the responder needs no time in which load balancers notice the stop.
    drainDelayMs: 0,
    shutdownTimeoutMs: options.shutdownTimeoutMs,
    reload: () => {},
    onEvent: logLifecycle(logger),
  })

  return lifecycle.run(async (use) => {
    const robot = wecomUrl === undefined ? undefined : createRobot({ url: wecomUrl, onLost: logLostMessage(logger) })
    const actions = createActions({
      settingsFile: options.settingsFile,
      defaults: options.defaults,
      run: createRun(options.environment),
      onRestore(override, err) {
        logRestore(logger)(override, err)
        if (err !== undefined)
          robot?.send(`**NOT RESTORED** ${override.setting}: undo the change of ${override.value} by hand`)
      },
    })
    const responder = createResponder({
      ...rules,
      ...actions,
      dryRun,
      isStopped: () => existsSync(`${stateFile}.stop`),
      store: createStateFile(stateFile),
      notify: dryRun ? undefined : robot?.send,
      hasResult: prometheusUrl === undefined ? undefined : createQuery(prometheusUrl),
      onEvent: logResponder(logger),
    })
    await use({ name: 'wecom', stop: () => robot?.stop(3_000) })
    let timer: NodeJS.Timeout | undefined
    let ticking: Promise<void> | undefined
    const tick = () => {
      ticking ??= responder.tick().finally(() => {
        ticking = undefined
      })
    }
    await use({
      name: 'responder',
      start() {
        timer = setInterval(tick, TICK_MS)
        logEvent(logger, 'info', 'rules loaded', {
          'App.respond.rules': rules.rules.map(({ name }) => name),
          'App.respond.dry_run': dryRun,
        })
      },
      async stop() {
        clearInterval(timer)
        await ticking
        await responder.stop()
      },
    })

    const { drain, handle, listen } = createListener({
      ...options.timeouts,
      name: 'respond',
      logger,
      ownsSocket: true,
      reservedFiles: 64,
      probe: () => false,
      onClientError: logClientError(logger),
    })
    const onError = (err: unknown) => logEvent(logger, 'error', 'state not saved', { err })
    handle(alerts({ receive: responder.receive, secret: options.secret, onError }))
    await use({
      name: 'http',
      start: () => listen({ host, port, setting: 'RESPONDER_PORT' }),
      drain: drain.begin,
      stop: drain.close,
    })
  })
}
