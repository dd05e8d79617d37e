/*
 * What belongs to a part of the template that a service may go without: `template` itself, which no service keeps, the
 * `example`, and the ways to run it, one folder of deploy/ each. Within a file that stays, lines are marked by a comment:
 * `[only example]` at the end of one, or alone on its line, up to `[end]`.
 */

/** Files and folders that stay with any of these parts; deploy/x, which is x's own, needs no mention. */
export const FILES: Readonly<Record<string, readonly string[]>> = {
  'scripts/init.ts': ['template'],
  'scripts/template': ['template'],
  'docs/decisions/0011-template.md': ['template'],
  'test/release/clone.test.ts': ['template'],
  'test/release/resource.test.ts': ['template'],

  'internal/handler/notes.test.ts': ['example'],
  'internal/handler/notes.ts': ['example'],
  'internal/service/notes.test.ts': ['example'],
  'internal/service/notes.ts': ['example'],
  'internal/store/migrations/0002-notes.ts': ['example'],
  'internal/store/notes.ts': ['example'],
  'test/any-resource.test.ts': ['example'],
  'test/browser/notes.test.ts': ['example'],
  'test/notes-of-subjects.test.ts': ['example'],
  'test/notes.test.ts': ['example'],

  'docs/kubernetes.md': ['kubernetes'],
  'test/kubernetes.test.ts': ['kubernetes'],
  'test/release/rolling-update.test.ts': ['kubernetes'],
  'test/support/kubernetes': ['kubernetes'],

  'docs/supervisord.md': ['supervisor'],
  'test/restart/supervisor-socket.test.ts': ['supervisor'],
  'test/restart/supervisor.test.ts': ['supervisor'],
  'test/support/supervisor.ts': ['supervisor'],

  'test/proxies/nginx.test.ts': ['nginx'],
  'test/restart/rolling-nginx.test.ts': ['nginx'],
  'test/support/nginx.ts': ['nginx'],

  'test/proxies/haproxy.test.ts': ['haproxy'],
  'test/restart/rolling-haproxy.test.ts': ['haproxy'],
  'test/support/haproxy.ts': ['haproxy'],

  'test/proxies/dns.test.ts': ['dns'],
  'test/support/named.ts': ['dns'],

  'test/proxies/envoy.test.ts': ['envoy'],

  'docs/load-balancers.md': ['nginx', 'haproxy', 'envoy', 'dns'],
  'scripts/check-timeouts.ts': ['kubernetes', 'systemd', 'supervisor', 'nginx', 'haproxy', 'envoy'],
  'test/timeouts.test.ts': ['kubernetes', 'systemd', 'supervisor', 'nginx', 'haproxy', 'envoy'],
  'test/proxies/both.test.ts': ['nginx', 'haproxy'],
  'test/restart/kill.test.ts': ['nginx', 'haproxy'],
  'test/support/ask.ts': ['nginx', 'haproxy', 'dns'],
  'test/support/copy-with.ts': ['nginx', 'dns'],
  'test/support/proxy.ts': ['nginx', 'haproxy'],
  'test/support/unprivileged.ts': ['nginx', 'haproxy', 'dns'],
}

/** The same for what package.json has for development, each without dependencies of its own. */
export const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'kubernetes-types': ['kubernetes'],
  yaml: ['kubernetes', 'envoy'],
}
