import { isIP } from 'node:net'
import { boolean, createFormat, milliseconds, text } from './formats.ts'
import { parseAddress } from './registry.ts'

/** A path that is safe in the configuration of a proxy. */
const PATH = '/[A-Za-z0-9._/@+-]{1,1000}'
const PATTERNS = {
  envoy: /^envoy:(?<host>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):(?<port>\d{1,5})$/,
  nginx: new RegExp(`^nginx:(?<path>${PATH})$`),
  haproxy: new RegExp(`^haproxy:(?<path>${PATH})/(?<backend>[A-Za-z0-9._:-]{1,128})$`),
}

/** The proxy that the bridge configures. */
const bridgeSink = () =>
  createFormat(
    'envoy:127.0.0.1:18000 to listen on, nginx:/etc/nginx/servers.conf or haproxy:/run/haproxy/admin.sock/backend',
    (text) => {
      const envoy = PATTERNS.envoy.exec(text)?.groups
      if (envoy !== undefined) {
        const host = envoy['host']?.replace(/^\[|\]$/g, '') ?? ''
        const port = Number(envoy['port'])
        return port <= 65_535 ? { kind: 'envoy' as const, host, port } : undefined
      }
      const nginx = PATTERNS.nginx.exec(text)?.groups
      if (nginx !== undefined) return { kind: 'nginx' as const, path: nginx['path'] ?? '' }
      const { path, backend } = PATTERNS.haproxy.exec(text)?.groups ?? {}
      return path && backend ? { kind: 'haproxy' as const, path, backend } : undefined
    },
  )

/** The instances that the bridge probes. It does not resolve names, because no proxy gets a name. */
const addresses = () =>
  createFormat('ip:port of each instance, separated by commas, such as 10.0.0.11:8080', (text) => {
    const parsed = text.split(',').map((each) => parseAddress(each.trim()))
    const valid = parsed.filter((each) => each !== undefined).filter(({ host }) => isIP(host) !== 0)
    return valid.length === parsed.length ? valid : undefined
  })

/** A program and its arguments, separated by spaces. */
const command = (example: string) =>
  createFormat(`a program with arguments, such as ${example}`, (text) => {
    const words = text.split(/ +/).filter((word) => word !== '')
    return words.length > 0 ? words : undefined
  })

/** The variables of `app bridge`, besides those of the registry. */
export const bridgeVariables = {
  BRIDGE_SERVICE: text(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    'letters, digits, dots, underscores and hyphens',
  ).optional(),
  BRIDGE_INSTANCES: addresses().optional(),
  BRIDGE_SINK: bridgeSink().optional(),
  BRIDGE_STATE: text(/^\/.{1,4096}$/, 'an absolute path').optional(),
  BRIDGE_POLL_MS: milliseconds(100, 60_000).default(1_000),
  BRIDGE_GRACE_MS: milliseconds(0, 600_000).default(15_000),
  BRIDGE_ALLOW_EMPTY: boolean().default(false),
  BRIDGE_NGINX: command('nginx -p /var/lib/proxy -c /etc/proxy/nginx.conf').default(['nginx']),
}
