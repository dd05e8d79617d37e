import type { Settings } from '#config/settings.ts'
import type { Snapshot } from '#pkg/health/index.ts'
import { createLifecycle, type Part } from '#pkg/lifecycle/index.ts'
import type { Systemd } from '#pkg/systemd/index.ts'
import { createSupervisor, forkWorker, type PrimaryLink, type SupervisorEvent } from '#pkg/workers/index.ts'
import type { App, ServiceLink } from './app.ts'
import {
  createHealthOf,
  createServiceLogger,
  createStores,
  logLifecycle,
  reloadOf,
  serviceName,
  settingsPart,
  storeParts,
  systemdPart,
} from './parts.ts'

/** How often the workers are told what the checks have found, in milliseconds; a change is told at once. */
const PUBLISH_INTERVAL_MS = 500

/**
 * The process above several workers: it watches the dependencies for all of them, starts and
 * replaces them, and serves nothing itself. A reload replaces them one by one.
 */
export async function createPrimary(settings: Settings, systemd: Systemd): Promise<App> {
  const config = settings.current()
  const logger = createServiceLogger(config)
  const reloadSettings = reloadOf(settings, logger)
  const stores = await createStores(config, serviceName(config), logger)
  const health = createHealthOf(settings, stores, logger, () => publish())
  const supervisor = createSupervisor({
    count: config.WORKERS,
    // The socket that systemd handed to this process is shared by its number.
    fork: () => forkWorker(systemd.listenFd === undefined ? {} : { LISTEN_FD: String(systemd.listenFd) }),
    stopTimeoutMs: config.SHUTDOWN_TIMEOUT_MS + 1_000,
    onEvent: (event) => log(event),
  })

  function log(event: SupervisorEvent): void {
    if ('error' in event) logger.error({ err: event.error }, event.type)
    else if (event.type === 'worker died') logger.error({ worker: event.pid }, event.type)
    else logger.info('pid' in event ? { worker: event.pid } : {}, event.type)
  }

  function publish(): void {
    supervisor.publish(health.snapshot())
  }

  const lifecycle = createLifecycle({
    parts: [
      ...storeParts(stores),
      settingsPart(settings, reloadSettings),
      healthPart(),
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

  function healthPart(): Part {
    let timer: NodeJS.Timeout | undefined
    return {
      name: 'health',
      start() {
        health.start()
        publish()
        timer = setInterval(publish, PUBLISH_INTERVAL_MS)
      },
      stop() {
        clearInterval(timer)
        health.stop()
      },
    }
  }

  return {
    lifecycle,
    logger,
    reload() {
      reloadSettings()
      void supervisor.roll()
    },
  }
}

/** A primary that says nothing for this long is stuck, and what it said last is no longer known to be so. */
const STALE_AFTER_S = 10

/** What a worker knows of the service. */
export function serviceLink(link: PrimaryLink): ServiceLink {
  return {
    retired: link.retired,
    leave: link.leave,
    snapshot() {
      const published = link.state() as Snapshot | undefined
      const timestamp = Math.floor(Date.now() / 1000)
      if (published === undefined) return { status: 'fail', timestamp, checks: {} }
      if (timestamp - published.timestamp <= STALE_AFTER_S) return published
      const checks = Object.entries(published.checks).map(([name, { critical }]) => [
        name,
        { status: 'fail', critical, reason: 'stale' } as const,
      ])
      return { status: 'fail', timestamp, checks: Object.fromEntries(checks) }
    },
  }
}
