import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, OutgoingHttpHeaders, RequestListener, ServerResponse } from 'node:http'
import { requestId } from '#pkg/http/request-id.ts'
import { HTTP_PROBLEMS, writeProblem } from '#pkg/problem/index.ts'
import { parseAlerts, type Responder } from '#pkg/respond/index.ts'

export interface AlertsDeps {
  readonly receive: Responder['receive']
  /** The bearer token of Alertmanager. */
  readonly secret: string
  readonly onError: (error: unknown) => void
}

const MAX_BYTES = 1024 * 1024

const PROBLEMS = {
  unauthenticated: { status: 401, detail: 'The request requires the bearer token of the responder.' },
  not_found: HTTP_PROBLEMS.not_found,
  method_not_allowed: HTTP_PROBLEMS.method_not_allowed,
  body_too_large: HTTP_PROBLEMS.body_too_large,
  incomplete_body: HTTP_PROBLEMS.incomplete_body,
  unknown_payload: { status: 400, detail: 'The body is not a webhook of Alertmanager, version 4.' },
  state_not_saved: {
    status: 503,
    detail: 'The decisions could not be saved, so no action was started.',
    retryAfterSeconds: 5,
  },
} as const

type Code = keyof typeof PROBLEMS

/**
 * Responds to `POST /alerts` once the decisions are saved, and to `GET /health/live` and `/health/ready`. Alertmanager
 * retries after a status of 500 or above.
 */
export function alerts({ receive, secret, onError }: AlertsDeps): RequestListener {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  const expected = digest(`Bearer ${secret}`)
  // Digests have the same length, so the comparison takes the same time for every token.
  const isAllowed = ({ headers }: IncomingMessage) => timingSafeEqual(digest(headers.authorization ?? ''), expected)

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0]
    if (path === '/health/live' || path === '/health/ready') return sendJson(response, { status: 'ok' })
    const refuse = (code: Code, headers?: OutgoingHttpHeaders) => sendProblem(request, response, code, headers)
    if (path !== '/alerts') return refuse('not_found')
    if (request.method !== 'POST') return refuse('method_not_allowed', { allow: 'POST' })
    if (!isAllowed(request)) return refuse('unauthenticated', { 'www-authenticate': 'Bearer' })
    const body = await readBody(request)
    if (typeof body !== 'string') return refuse(body.code)
    const alerts = parseAlerts(body)
    if (alerts === undefined) return refuse('unknown_payload')
    try {
      const decisions = await receive(alerts)
      sendJson(response, {
        decisions: decisions.map(({ verdict, alert, rule }) => ({
          fingerprint: alert.fingerprint,
          rule: rule?.name,
          verdict,
        })),
      })
    } catch (error) {
      onError(error)
      refuse('state_not_saved')
    }
  }
  return (request, response) => void respond(request, response)
}

async function readBody(request: IncomingMessage): Promise<string | { readonly code: Code }> {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BYTES) return { code: 'body_too_large' }
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length
      if (bytes > MAX_BYTES) return { code: 'body_too_large' }
      chunks.push(chunk)
    }
  } catch {
    return { code: 'incomplete_body' }
  }
  return Buffer.concat(chunks).toString()
}

function sendJson(response: ServerResponse, content: unknown): void {
  const body = JSON.stringify(content)
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(body)
}

/** Closes the connection, because the rest of the body may still arrive. */
function sendProblem(
  request: IncomingMessage,
  response: ServerResponse,
  code: Code,
  headers: OutgoingHttpHeaders = {},
): void {
  writeProblem(response, code, PROBLEMS[code], { requestId: requestId(request), headers })
}
