import type { Config, Name } from '#config/env.ts'
import { ConfigError } from '#config/load.ts'
import type { Held, Settings } from '#config/settings.ts'
import type { Health, Snapshot } from '#pkg/health/index.ts'
import { createLifecycle, type Lifecycle, type Part } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Systemd } from '#pkg/systemd/index.ts'
import {
  createSupervisor,
  forkWorker,
  INHERITED_FD,
  type PrimaryLink,
  type SupervisorEvent,
} from '#pkg/workers/index.ts'
import type { App, ServiceLink } from './app.ts'
import {
  applySettings,
  createHealthOf,
  createServiceLogger,
  createStores,
  healthPart,
  logLifecycle,
  reloadOf,
  serviceName,
  settingsPart,
  storeParts,
  systemdPart,
} from './parts.ts'

/** How often the workers are told what the checks have found, in milliseconds; a change is told at once. */
const PUBLISH_INTERVAL_MS = 500

/** What this process uses itself, and has only once. */
const FIXED: readonly Name[] = ['SERVICE_NAME', 'LISTEN_FD', 'WORKERS', 'DRAIN_DELAY_MS', 'SHUTDOWN_TIMEOUT_MS']

/** What is known of the dependencies by one reading of the configuration. */
interface Watch {
  readonly settings: Settings
  readonly health: Health
  readonly lifecycle: Lifecycle
  /** Resolves when each check has run once. */
  readonly complete: Promise<void>
}

async function createWatch(settings: Settings, logger: Logger, onChange: () => void): Promise<Watch> {
  const config = settings.current()
  const stores = await createStores(config, serviceName(config), logger)
  const complete = Promise.withResolvers<void>()
  const look = () => {
    if (Object.values(health.snapshot().checks).every((check) => check.status === 'ok' || check.reason !== 'pending'))
      complete.resolve()
  }
  const health = createHealthOf(settings, stores, logger, () => {
    look()
    onChange()
  })
  look()
  const lifecycle = createLifecycle({
    parts: [...storeParts(stores), settingsPart(settings, reloadOf(settings, logger)), healthPart(health)],
    drainDelayMs: 0,
  })
  return { settings, health, lifecycle, complete: complete.promise }
}

/**
 * The process above several workers: it watches the dependencies for all of them, starts and
 * replaces them, and serves nothing itself. A reload replaces them one by one, by what the
 * environment's files say then.
 */
export async function createPrimary(settings: Settings, systemd: Systemd): Promise<App> {
  const config = settings.current()
  const logger = createServiceLogger(config)
  let watch = await createWatch(settings, logger, publish)
  let handedOver = watch.settings
  const listenFd = config.LISTEN_FD ?? systemd.listenFd
  const supervisor = createSupervisor({
    count: config.WORKERS,
    fork: () => forkWorker({ listenFd }),
    given: () => forWorker(handedOver.held(), listenFd),
    stopTimeoutMs: config.SHUTDOWN_TIMEOUT_MS + 1_000,
    onEvent: (event) => log(event),
  })

  function log(event: SupervisorEvent): void {
    if ('error' in event) logger.error({ err: event.error }, event.type)
    else if (event.type === 'worker ready') logger.info({ worker: event.pid }, event.type)
    else {
      const { type, pid, code, signal } = event
      logger[type === 'worker died' || code !== 0 ? 'error' : 'info']({ worker: pid, code, signal }, type)
    }
  }

  function publish(): void {
    supervisor.publish(watch.health.snapshot())
  }

  const lifecycle = createLifecycle({
    parts: [
      { name: 'watch', start: () => watch.lifecycle.start(), stop: () => watch.lifecycle.stop(), stopTimeoutMs: 3_000 },
      publisher(),
      {
        name: 'workers',
        start: () => supervisor.start(),
        drain: (delayMs) => supervisor.drain(delayMs === 0),
        stop: (signal) => supervisor.stop(signal),
      },
      systemdPart(systemd, logger),
    ],
    drainDelayMs: config.DRAIN_DELAY_MS,
    // The workers keep to the timeout themselves; this one only must not be before them.
    shutdownTimeoutMs: config.SHUTDOWN_TIMEOUT_MS + 2_000,
    onEvent: logLifecycle(logger),
  })

  function publisher(): Part {
    let timer: NodeJS.Timeout | undefined
    return {
      name: 'publisher',
      start() {
        publish()
        timer = setInterval(publish, PUBLISH_INTERVAL_MS)
      },
      stop: () => clearInterval(timer),
    }
  }

  /** A configuration that is wrong, or under which a dependency cannot be reached, replaces nobody. */
  async function replaceWorkers(): Promise<void> {
    let next: Watch | undefined
    try {
      next = await createWatch(watch.settings.anew(), logger, publish)
      refuse('needs a restart', changedOf(config, next.settings.current()))
      await next.lifecycle.start()
      await next.complete
      if (watch.health.snapshot().status === 'ok') refuse('fails with the new configuration', failingOf(next.health))
      handedOver = next.settings
      if (!(await supervisor.roll())) return
      ;[watch, next] = [next, watch]
      applySettings(watch.settings.current(), logger)
      logger.info('roll-out done')
    } catch (error) {
      logger.error(error instanceof ConfigError ? { problems: error.problems } : { err: error }, 'roll-out stopped')
    } finally {
      handedOver = watch.settings
      await next?.lifecycle.stop()
    }
  }

  let rolling: Promise<void> | undefined
  let again = false

  /** One roll-out at a time; however many are asked for meanwhile, one more has read the last change. */
  function reload(): void {
    if (rolling !== undefined) {
      again = true
      return
    }
    again = false
    rolling = replaceWorkers().finally(() => {
      rolling = undefined
      if (again) reload()
    })
  }

  return { lifecycle, logger, reload }
}

/** A worker takes what this process holds and reads none of it itself, so one that is replaced is like the others. */
const forWorker = (held: Held, listenFd: number | undefined): Held =>
  listenFd === undefined ? held : { ...held, fixed: { ...held.fixed, LISTEN_FD: String(INHERITED_FD) } }

const changedOf = (before: Config, now: Config) => FIXED.filter((name) => now[name] !== before[name])

const failingOf = (health: Health) =>
  Object.entries(health.snapshot().checks).flatMap(([name, { status, critical }]) =>
    critical && status === 'fail' ? name : [],
  )

function refuse(why: string, names: readonly string[]): void {
  if (names.length > 0) throw new Error(`${why}: ${names.join(', ')}`)
}

/** A primary that says nothing for this long is stuck, and what it said last is no longer known to be so. */
const STALE_AFTER_S = 10

/** What a worker knows of the service. */
export function serviceLink(link: PrimaryLink): ServiceLink {
  return {
    retired: link.retired,
    leave: link.leave,
    onHurry: link.onHurry,
    snapshot() {
      const published = link.state() as Snapshot | undefined
      const timestamp = Math.floor(Date.now() / 1000)
      if (published === undefined) return { status: 'fail', timestamp, checks: {} }
      if (timestamp - published.timestamp <= STALE_AFTER_S) return published
      const checks = Object.entries(published.checks).map(([name, { critical }]) => [
        name,
        { status: 'fail', critical, reason: 'stale' } as const,
      ])
      return { ...published, status: 'fail', timestamp, checks: Object.fromEntries(checks) }
    },
  }
}
