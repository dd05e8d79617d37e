import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Health, Snapshot } from '#pkg/health/index.ts'
import { prefersHtml } from '#pkg/http/prefers-html.ts'
import { requestId } from '#pkg/http/request-id.ts'
import type { Lifecycle } from '#pkg/lifecycle/index.ts'
import { sendProblem } from '#pkg/problem/index.ts'

export const DIALECTS = ['standard', 'haproxy', 'envoy', 'consul'] as const
/** Format of /health/ready. The standard dialect suits Kubernetes; the dialects of proxies carry more detail. */
type Dialect = (typeof DIALECTS)[number]

export interface ProbesDeps {
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot'>
  readonly service: string
  readonly version: string
  /** Dialect of /health/ready for requests without `?dialect=`. */
  readonly dialect: () => Dialect
  /** Returns true while background operations are off. @default the page shows no state of the load */
  readonly isBrownout?: () => boolean | undefined
}

export interface Reply {
  readonly status: number
  /** Alternating names and values, in the format of `writeHead`. */
  readonly fields: string[]
  /** A string: Node sends a string together with the head, but a Buffer separately. */
  readonly body: string
}

/** Creates a reply of JSON or, from a string, of HTML. */
function reply(status: number, content: object | string, fields: readonly string[] = []): Reply {
  const [type, body] =
    typeof content === 'string' ? ['text/html', content] : ['application/json', JSON.stringify(content)]
  const own = ['content-type', `${type}; charset=utf-8`, 'content-length', String(Buffer.byteLength(body))]
  return { status, body, fields: [...own, 'cache-control', 'no-store', ...fields] }
}

const HTTP_STATUS = { ok: 200, fail: 503 }
const OK = reply(200, { status: 'ok' })
const DRAINING = { status: 'fail', reason: 'draining' }

/** Responses to /health/ready. `warning` means that only checks that are not critical fail. */
export const STANDARD = {
  ok: OK,
  warning: OK,
  dependency: reply(503, { status: 'fail', reason: 'dependency' }),
  starting: reply(503, { status: 'fail', reason: 'starting' }),
  draining: reply(503, DRAINING),
}

export const READY: Readonly<Record<Dialect, typeof STANDARD>> = {
  standard: STANDARD,
  // With `http-check disable-on-404`, status 404 stops new clients and lets clients with a sticky session continue.
  haproxy: { ...STANDARD, draining: reply(404, DRAINING) },
  // The header fails the host at once, regardless of `unhealthy_threshold`.
  envoy: { ...STANDARD, draining: reply(503, DRAINING, ['x-envoy-immediate-health-check-fail', 'true']) },
  // Consul shows status 429 as a warning and still routes to the instance.
  consul: { ...STANDARD, warning: reply(429, { status: 'ok', reason: 'dependency' }) },
}

/**
 * Responds to the probes before Express. Returns true after a response from memory, and false for a request that is not a
 * probe. Probes never wait, log, count against a limit or query a dependency.
 */
export function probes({ lifecycle, health, service, version, dialect, isBrownout }: ProbesDeps) {
  const vary = ['vary', 'accept']
  const renderJson = renderOnce(({ status, timestamp, checks }) =>
    reply(HTTP_STATUS[status], { status, service, version, timestamp, checks }, vary),
  )
  let page: ReturnType<typeof loadPage> | undefined

  /** Loads the page at the first request of a browser, because probers do not need it. */
  async function loadPage() {
    const { renderStatusPage, createStatusPageFields } = await import('./status-page.ts')
    const fields = [...vary, ...createStatusPageFields()]
    return renderOnce((snapshot, isBrownout) => {
      return reply(HTTP_STATUS[snapshot.status], renderStatusPage(service, version, snapshot, isBrownout), fields)
    })
  }

  function aggregate({ headers }: IncomingMessage): Reply | Promise<Reply> {
    if (!prefersHtml(headers.accept)) return renderJson(health.snapshot())
    page ??= loadPage()
    return page.then((render) => render(health.snapshot(), isBrownout?.()))
  }

  function readiness(): keyof typeof STANDARD {
    const phase = lifecycle.phase()
    if (phase === 'starting') return 'starting'
    if (phase !== 'serving') return 'draining'
    const { status, checks } = health.snapshot()
    if (status === 'fail') return 'dependency'
    return Object.values(checks).some((check) => check.status === 'fail') ? 'warning' : 'ok'
  }

  function ready({ url = '' }: IncomingMessage): Reply {
    const start = url.indexOf('?')
    const asked = start < 0 ? null : new URLSearchParams(url.slice(start)).get('dialect')
    // An unknown dialect selects the default: a typing error must not make the instance unready.
    const known = asked === null ? dialect() : (DIALECTS.find((known) => known === asked) ?? 'standard')
    return READY[known][readiness()]
  }

  const routes = new Map<string, (request: IncomingMessage) => Reply | Promise<Reply>>([
    ['/health', aggregate],
    ['/health/live', () => OK],
    ['/health/ready', ready],
    ['/health/startup', () => (lifecycle.phase() === 'starting' ? STANDARD.starting : OK)],
  ])

  return function probe(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', method } = request
    if (!url.startsWith('/health')) return false
    const respond = routes.get(url) ?? routes.get(url.split('?', 1)[0] ?? '')
    if (respond === undefined) return false
    if (method !== 'GET' && method !== 'HEAD') {
      sendProblem(response, 'method_not_allowed', { requestId: requestId(request), headers: { allow: 'GET, HEAD' } })
      return true
    }
    const reply = respond(request)
    if (reply instanceof Promise) void reply.then((loaded) => send(response, loaded))
    else send(response, reply)
    return true
  }
}

type Render = (snapshot: Snapshot, isBrownout?: boolean) => Reply

/** Renders each snapshot once, and again when the brownout begins or ends. */
function renderOnce(render: Render): Render {
  let last: Snapshot | undefined
  let wasBrownout: boolean | undefined
  let rendered: Reply
  return (snapshot, isBrownout) => {
    if (last !== snapshot || wasBrownout !== isBrownout) rendered = render(snapshot, isBrownout)
    last = snapshot
    wasBrownout = isBrownout
    return rendered
  }
}

function send(response: ServerResponse, { status, fields, body }: Reply): void {
  response.writeHead(status, fields)
  response.end(body)
}
