import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Health, Snapshot } from '#pkg/health/index.ts'
import { prefersHtml } from '#pkg/http/prefers-html.ts'
import { requestId } from '#pkg/http/request-id.ts'
import type { Lifecycle } from '#pkg/lifecycle/index.ts'
import { sendProblem } from '#pkg/problem/index.ts'

export interface ProbesDeps {
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot'>
  readonly service: string
  readonly version: string
  /** Of /health/ready, where the prober does not ask for one by `?dialect=`. @default 'standard' */
  readonly dialect?: () => Dialect
}

interface Answer {
  readonly status: number
  /** Names and values in turn: `writeHead` takes them as they are. */
  readonly fields: string[]
  /** Text, because Node sends that in one piece with the head, and a Buffer in two (docs/performance.md). */
  readonly body: string
}

function createAnswer(type: string, status: number, body: string, fields: readonly string[]): Answer {
  const own = ['content-type', `${type}; charset=utf-8`, 'content-length', String(Buffer.byteLength(body))]
  return { status, body, fields: [...own, 'cache-control', 'no-store', ...fields] }
}

const answer = (status: number, content: object, fields: readonly string[] = []) =>
  createAnswer('application/json', status, JSON.stringify(content), fields)

/** Of what is HTML or JSON, as the client prefers. */
const VARY = ['vary', 'accept']

/** What a prober is told, whatever its dialect. A warning is a check that fails and is not critical. */
type Readiness = 'ok' | 'warning' | 'dependency' | 'starting' | 'draining'

const DIALECTS = ['standard', 'haproxy', 'envoy', 'consul'] as const
/** How /health/ready says it: as in Kubernetes, or so that a proxy that reads more than a status understands more. */
export type Dialect = (typeof DIALECTS)[number]

const STANDARD: Readonly<Record<Readiness, Answer>> = {
  ok: answer(200, { status: 'ok' }),
  warning: answer(200, { status: 'ok' }),
  dependency: answer(503, { status: 'fail', reason: 'dependency' }),
  starting: answer(503, { status: 'fail', reason: 'starting' }),
  draining: answer(503, { status: 'fail', reason: 'draining' }),
}

const READY: Readonly<Record<Dialect, Readonly<Record<Readiness, Answer>>>> = {
  standard: STANDARD,
  // With `http-check disable-on-404` 404 means: no new clients, and those that stick to this server may stay.
  haproxy: { ...STANDARD, draining: { ...STANDARD.draining, status: 404 } },
  // Fails the host at once, whatever `unhealthy_threshold` is.
  envoy: {
    ...STANDARD,
    draining: answer(503, { status: 'fail', reason: 'draining' }, ['x-envoy-immediate-health-check-fail', 'true']),
  },
  // 429 is `warning`: shown, and still routed to.
  consul: { ...STANDARD, warning: answer(429, { status: 'ok', reason: 'dependency' }) },
}

/**
 * The lane before Express: /health, /health/live, /health/ready and /health/startup. Answers from
 * memory and returns true, or returns false for a request that is not a probe. Nothing here waits,
 * logs, counts against a limit or looks at a dependency.
 */
export function probes({ lifecycle, health, service, version, dialect = () => 'standard' }: ProbesDeps) {
  const aggregate = oncePerSnapshot(({ status, timestamp, checks }) => {
    const body = { status, service, version, timestamp, checks }
    return answer(status === 'ok' ? 200 : 503, body, VARY)
  })

  /** Loaded by the first browser: no prober needs it. */
  const loadPage = once(async () => {
    const { renderStatusPage, statusPageFields } = await import('./status-page.ts')
    const fields = [...VARY, ...statusPageFields()]
    return oncePerSnapshot((snapshot) => {
      const text = renderStatusPage({ service, version, snapshot })
      return createAnswer('text/html', snapshot.status === 'ok' ? 200 : 503, text, fields)
    })
  })

  /** Renders each snapshot once. */
  function oncePerSnapshot(render: (snapshot: Snapshot) => Answer): () => Answer {
    let last: Snapshot | undefined
    let rendered: Answer
    return () => {
      const snapshot = health.snapshot()
      if (last !== snapshot) rendered = render(snapshot)
      last = snapshot
      return rendered
    }
  }

  function readiness(): Readiness {
    const phase = lifecycle.phase()
    if (phase === 'starting') return 'starting'
    if (phase !== 'serving') return 'draining'
    const { status, checks } = health.snapshot()
    if (status === 'fail') return 'dependency'
    return Object.values(checks).some((check) => check.status === 'fail') ? 'warning' : 'ok'
  }

  function ready({ url = '' }: IncomingMessage): Answer {
    const start = url.indexOf('?')
    const asked = start < 0 ? null : new URLSearchParams(url.slice(start)).get('dialect')
    // A prober with a typing error gets what is right for everybody, not a failure.
    const known = asked === null ? dialect() : (DIALECTS.find((known) => known === asked) ?? 'standard')
    return READY[known][readiness()]
  }

  const answers = new Map<string, (request: IncomingMessage) => Answer>([
    ['/health', aggregate],
    ['/health/live', () => STANDARD.ok],
    ['/health/ready', ready],
    ['/health/startup', () => (lifecycle.phase() === 'starting' ? STANDARD.starting : STANDARD.ok)],
  ])

  return function probe(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', method } = request
    if (!url.startsWith('/health')) return false
    const respond = answers.get(url) ?? answers.get(url.split('?', 1)[0] ?? '')
    if (respond === undefined) return false
    if (method !== 'GET' && method !== 'HEAD') {
      sendProblem(response, 'method_not_allowed', { requestId: requestId(request), headers: { allow: 'GET, HEAD' } })
      return true
    }
    if (respond === aggregate && prefersHtml(request.headers.accept))
      void loadPage().then((page) => send(response, page()))
    else send(response, respond(request))
    return true
  }
}

function send(response: ServerResponse, { status, fields, body }: Answer): void {
  response.writeHead(status, fields)
  response.end(body)
}

/** Returns a function that calls `load` at most once. */
function once<T>(load: () => T): () => T {
  let loaded: { readonly value: T } | undefined
  return () => {
    loaded ??= { value: load() }
    return loaded.value
  }
}
