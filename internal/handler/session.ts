import * as z from 'zod'
import type { Sessions } from '#pkg/access/sessions.ts'
import { operation, type Route } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'

export interface SessionDeps {
  readonly sessions: Pick<Sessions, 'start' | 'end'>
}

const who = () =>
  z.object({ subject: z.string().max(255), scheme: z.enum(['bearer', 'session']), expiresAt: z.int().positive() })

const example = { subject: 'user-1', scheme: 'session', expiresAt: 1_795_353_962 }

/** A session for the subject of a bearer token: for browsers, whose scripts then need to keep no token. */
export function session({ sessions }: SessionDeps): Route {
  return {
    path: '/v1/session',
    get: operation({
      id: 'getSession',
      summary: 'Who sends this request, and until when that is known (Unix seconds)',
      responses: { 200: { description: 'That one', schema: who, example } },
      handler: function getSession(req, res) {
        res.json(req.auth)
      },
    }),
    post: operation({
      id: 'startSession',
      summary: 'Starts a session for the subject of the bearer token',
      responses: {
        201: { description: 'Started', schema: who, example, headers: { 'set-cookie': 'The session.' } },
      },
      problems: ['token_required', 'insecure_connection', 'sessions_unavailable'],
      handler: async function startSession(req, res) {
        // Or one session would follow another without end.
        if (req.auth?.scheme !== 'bearer') throw new CodedError('token_required')
        const started = await sessions.start(req, res, req.auth.subject)
        res.status(201).json({ ...started, scheme: 'session' })
      },
    }),
    delete: operation({
      id: 'endSession',
      summary: 'Ends the session of the cookie',
      responses: { 204: { description: 'Ended', headers: { 'set-cookie': 'None.' } } },
      problems: ['sessions_unavailable'],
      handler: async function endSession(req, res) {
        await sessions.end(req, res)
        res.status(204).end()
      },
    }),
  }
}
