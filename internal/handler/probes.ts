import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Health, Snapshot } from '#pkg/health/index.ts'
import type { Lifecycle } from '#pkg/lifecycle/index.ts'
import { HTTP_ERRORS, problemDocument } from '#pkg/web/index.ts'

export interface ProbesDeps {
  readonly lifecycle: Pick<Lifecycle, 'phase'>
  readonly health: Pick<Health, 'snapshot'>
  readonly service: string
  readonly version: string
}

interface Answer {
  readonly status: 200 | 503
  readonly body: Buffer
}

const answer = (status: 200 | 503, body: object): Answer => ({ status, body: Buffer.from(JSON.stringify(body)) })

/**
 * The lane before Express: /health, /health/live, /health/ready and /health/startup. Answers from
 * memory and returns true, or returns false for a request that is not a probe. Nothing here waits,
 * logs, counts against a limit or looks at a dependency.
 */
export function probes({ lifecycle, health, service, version }: ProbesDeps) {
  const ok = answer(200, { status: 'ok' })
  const notServing = {
    starting: answer(503, { status: 'fail', reason: 'starting' }),
    draining: answer(503, { status: 'fail', reason: 'draining' }),
    stopped: answer(503, { status: 'fail', reason: 'draining' }),
  }
  const dependency = answer(503, { status: 'fail', reason: 'dependency' })
  let rendered: { readonly snapshot: Snapshot; readonly answer: Answer } | undefined

  /** Rendered once a snapshot, however many ask. */
  function aggregate(): Answer {
    const snapshot = health.snapshot()
    if (rendered?.snapshot !== snapshot) {
      const { status, timestamp, checks } = snapshot
      const body = { status, service, version, timestamp, checks }
      rendered = { snapshot, answer: answer(status === 'ok' ? 200 : 503, body) }
    }
    return rendered.answer
  }

  function ready(): Answer {
    const phase = lifecycle.phase()
    if (phase !== 'serving') return notServing[phase]
    return health.snapshot().status === 'ok' ? ok : dependency
  }

  const answers = new Map<string, () => Answer>([
    ['/health', aggregate],
    ['/health/live', () => ok],
    ['/health/ready', ready],
    ['/health/startup', () => (lifecycle.phase() === 'starting' ? notServing.starting : ok)],
  ])

  return function probe(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', method } = request
    const query = url.indexOf('?')
    const respond = answers.get(query === -1 ? url : url.slice(0, query))
    if (respond === undefined) return false
    if (method !== 'GET' && method !== 'HEAD') {
      refuse(response)
      return true
    }
    const { status, body } = respond()
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': body.length,
      'cache-control': 'no-store',
    })
    response.end(body)
    return true
  }
}

function refuse(response: ServerResponse): void {
  const id = randomUUID()
  const body = problemDocument('method_not_allowed', HTTP_ERRORS.method_not_allowed, id)
  response.writeHead(405, {
    'content-type': 'application/problem+json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-request-id': id,
    allow: 'GET, HEAD',
  })
  response.end(body)
}
