/*
 * Holds every file under deploy/ against the timeouts of the service: they depend on each other, and
 * each way of deploying states some of them in its own words. The service's defaults, in config/env.ts,
 * are the one place; a rule that finds nothing to look at is broken too.
 */
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Config } from '#config/env.ts'
import { loadConfig } from '#config/load.ts'

interface Rule {
  readonly file: string
  /** Its first group is a number of seconds. */
  readonly pattern: RegExp
  /** In seconds. */
  readonly holds: (seconds: number, service: Service) => boolean
  readonly says: string
}

/** The service's own, in seconds. */
interface Service {
  readonly drainDelay: number
  readonly shutdown: number
  readonly keepAlive: number
  readonly request: number
}

// [only kubernetes systemd supervisor]
const longerThanShutdown = {
  holds: (seconds: number, { shutdown }: Service) => seconds > shutdown,
  says: 'longer than SHUTDOWN_TIMEOUT_MS, or the service is killed while it ends',
}
// [end]
// [only nginx haproxy envoy]
const shorterThanKeepAlive = {
  holds: (seconds: number, { keepAlive }: Service) => seconds < keepAlive,
  says: 'shorter than KEEP_ALIVE_TIMEOUT_MS, or the service closes a connection that the proxy is about to use',
}
// [end]
// [only nginx haproxy]
const longerThanRequest = {
  holds: (seconds: number, { request }: Service) => seconds > request,
  says: 'longer than REQUEST_TIMEOUT_MS, or the proxy gives up before the service does',
}
// [end]

export const RULES: readonly Rule[] = [
  // [only kubernetes]
  {
    file: 'deploy/kubernetes/base/deployment.yaml',
    pattern: /terminationGracePeriodSeconds: (\d+)/g,
    ...longerThanShutdown,
  },
  // [end]
  // [only systemd]
  {
    file: 'deploy/systemd/app@.service',
    pattern: /^TimeoutStopSec=(\d+)/gm,
    ...longerThanShutdown,
  },
  // [end]
  // [only supervisor]
  {
    file: 'deploy/supervisor/app.conf',
    pattern: /^stopwaitsecs *= *(\d+)/gm,
    ...longerThanShutdown,
  },
  {
    file: 'deploy/supervisor/app-socket.conf',
    pattern: /^stopwaitsecs *= *(\d+)/gm,
    ...longerThanShutdown,
  },
  // [end]
  // [only nginx]
  {
    file: 'deploy/nginx/strategies.conf',
    pattern: /keepalive_timeout (\d+)s/g,
    ...shorterThanKeepAlive,
  },
  {
    file: 'deploy/nginx/nginx.conf',
    pattern: /proxy_(?:read|send)_timeout (\d+)s/g,
    ...longerThanRequest,
  },
  // [end]
  // [only haproxy]
  {
    file: 'deploy/haproxy/haproxy.cfg',
    pattern: /pool-purge-delay (\d+)s/g,
    ...shorterThanKeepAlive,
  },
  {
    file: 'deploy/haproxy/haproxy.cfg',
    pattern: /timeout server (\d+)s/g,
    ...longerThanRequest,
  },
  // [end]
  // [only envoy]
  {
    file: 'deploy/envoy/envoy.yaml',
    pattern: /idle_timeout: (\d+)s/g,
    ...shorterThanKeepAlive,
  },
  // [end]
]

function serviceOf(config: Config): Service {
  return {
    drainDelay: config.DRAIN_DELAY_MS / 1_000,
    shutdown: config.SHUTDOWN_TIMEOUT_MS / 1_000,
    keepAlive: config.KEEP_ALIVE_TIMEOUT_MS / 1_000,
    request: config.REQUEST_TIMEOUT_MS / 1_000,
  }
}

/** What does not hold, one line each. */
export function brokenRules(config: Config, read: (file: string) => string): readonly string[] {
  const service = serviceOf(config)
  const own =
    service.drainDelay + service.request < service.shutdown
      ? []
      : ['config/env.ts: SHUTDOWN_TIMEOUT_MS has no room for DRAIN_DELAY_MS and a request that begins at its end']
  const broken = RULES.flatMap(({ file, pattern, holds, says }) => {
    const found = [...read(file).matchAll(pattern)]
    if (found.length === 0) return [`${file}: nothing matches ${pattern}`]
    return found.flatMap(([text, seconds]) =>
      holds(Number(seconds), service) ? [] : [`${file}: «${text}» must be ${says}`],
    )
  })
  return [...own, ...broken]
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const broken = brokenRules(loadConfig({}), (file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
  for (const line of broken) console.error(line)
  process.exitCode = broken.length === 0 ? 0 : 1
}
