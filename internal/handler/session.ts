import * as z from 'zod'
import type { Sessions } from '#pkg/access/sessions.ts'
import { operation, type Route } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'

export interface SessionDeps {
  readonly sessions: Pick<Sessions, 'start' | 'end'>
}

const caller = () =>
  z.object({ subject: z.string(), scheme: z.enum(['bearer', 'session']), expiresAt: z.int().positive() })

const example = { subject: 'user-1', scheme: 'session', expiresAt: 1_795_353_962 }

/** Manages the session of a browser. A session replaces the bearer token, so scripts do not store the token. */
export function session({ sessions }: SessionDeps): Route {
  return {
    path: '/v1/session',
    get: operation({
      id: 'getSession',
      summary: 'Returns the authenticated caller and the end of its authentication (Unix seconds)',
      responses: { 200: { description: 'The caller', schema: caller, example } },
      handler: function getSession(req, res) {
        res.json(req.auth)
      },
    }),
    post: operation({
      id: 'startSession',
      summary: 'Starts a session for the subject of the bearer token',
      responses: {
        201: {
          description: 'The session has started',
          schema: caller,
          example,
          headers: { 'set-cookie': 'Sets the session cookie.' },
        },
      },
      problems: ['token_required', 'insecure_connection', 'sessions_unavailable'],
      handler: async function startSession(req, res) {
        // Otherwise a session could renew itself forever.
        if (req.auth?.scheme !== 'bearer') throw new CodedError('token_required')
        const started = await sessions.start(req, res, req.auth.subject)
        res.status(201).json({ ...started, scheme: 'session' })
      },
    }),
    delete: operation({
      id: 'endSession',
      summary: 'Ends the session of the cookie',
      responses: {
        204: { description: 'The session has ended', headers: { 'set-cookie': 'Deletes the session cookie.' } },
      },
      problems: ['sessions_unavailable'],
      handler: async function endSession(req, res) {
        await sessions.end(req, res)
        res.status(204).end()
      },
    }),
  }
}
