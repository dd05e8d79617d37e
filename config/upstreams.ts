import { createFormat, integer, list, milliseconds } from './formats.ts'

/** Parses an origin without a path, credentials or a query, such as `http://10.0.0.1:8080`. */
function parseOrigin(text: string) {
  const { protocol, hostname, port, host, href, origin } = new URL(text)
  if ((protocol !== 'http:' && protocol !== 'https:') || `${origin}/` !== href || port === '0') return undefined
  const defaultPort = protocol === 'https:' ? 443 : 80
  return {
    protocol,
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || defaultPort),
    authority: host,
  } as const
}

/** Parses the source of the instances of an upstream. */
function parseSource(text: string) {
  const [, lookup, tls, rest = ''] = /^(dns|srv)(\+https)?:\/\/(.*)$/.exec(text) ?? []
  const protocol = tls === undefined ? ('http:' as const) : ('https:' as const)
  if (lookup === 'dns') {
    const [, host, port] = /^([A-Za-z0-9.-]{1,253}):(\d{1,5})$/.exec(rest) ?? []
    const isPort = Number(port) >= 1 && Number(port) <= 65_535
    return host !== undefined && isPort ? { type: 'dns' as const, host, port: Number(port), protocol } : undefined
  }
  if (lookup === 'srv') {
    const [, name] = /^((?:_[a-z0-9-]+\.){2}[A-Za-z0-9.-]{1,200})$/i.exec(rest) ?? []
    return name === undefined ? undefined : { type: 'srv' as const, name, protocol }
  }
  const origins = text.split('|').map(parseOrigin)
  return origins.every((origin) => origin !== undefined) ? { type: 'static' as const, origins } : undefined
}

/** Parses `name=target` pairs. A name becomes the label of the upstream in the metrics. */
const upstreams = () =>
  createFormat(
    'name=target pairs separated by commas, each name once; a target is http(s)://host:port, several of them with | ' +
      'between, dns(+https)://host:port or srv(+https)://_service._proto.name',
    (text) => {
      const upstreams = text.split(',').map((entry) => {
        const [, name = '', target = ''] = /^\s*([a-z][a-z0-9-]{0,31})=(\S+)\s*$/.exec(entry) ?? []
        return { name, source: parseSource(target) }
      })
      const isUnique = new Set(upstreams.map(({ name }) => name)).size === upstreams.length
      const complete = upstreams.flatMap(({ name, source }) => (source && name !== '' ? [{ name, source }] : []))
      return isUnique && complete.length === upstreams.length ? complete : undefined
    },
  )

/** The variables of the calls to other services. */
export const upstreamVariables = {
  UPSTREAMS: upstreams().default([]),
  UPSTREAM_TIMEOUT_MS: milliseconds(10, 600_000).default(5_000),
  UPSTREAM_CONCURRENCY: integer(1, 10_000, 'calls').default(256),
  UPSTREAM_OPEN: list('names separated by commas').default([]),
}
