import * as z from 'zod'
import type { Sessions } from '#pkg/access/sessions.ts'
import { operation, type Route } from '#pkg/operation/index.ts'
import { CodedError } from '#pkg/problem/index.ts'

const example = { subject: 'user-1', scheme: 'session', expiresAt: 1_795_353_962 }

const callerSchema = () =>
  z
    .object({
      subject: z
        .string()
        .min(1)
        .max(255)
        .regex(/^[\s\S]+$/),
      scheme: z.enum(['bearer', 'session']),
      expiresAt: z.int().min(1),
    })
    .meta({ id: 'Caller', examples: [example] })

/** Lets a browser use a session cookie, so that its scripts need not store a bearer token. */
export function session(sessions: Pick<Sessions, 'start' | 'end'>): Route {
  return {
    path: '/v1/session',
    get: operation({
      id: 'getSession',
      summary: 'Returns the authenticated caller, and the end of its token or session in Unix seconds',
      responses: { 200: { description: 'The caller', schema: callerSchema } },
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
          schema: callerSchema,
          headers: { 'Set-Cookie': 'The cookie of the session' },
        },
      },
      problems: ['token_required', 'insecure_connection', 'sessions_unavailable'],
      handler: async function startSession(req, res) {
        // Otherwise a session could start new sessions forever.
        if (req.auth?.scheme !== 'bearer') throw new CodedError('token_required')
        const started = await sessions.start(req, res, req.auth.subject)
        res.status(201).json({ ...started, scheme: 'session' })
      },
    }),
    delete: operation({
      id: 'endSession',
      summary: 'Ends the session of the cookie',
      responses: { 204: { description: 'The session has ended', headers: { 'Set-Cookie': 'Deletes the cookie' } } },
      problems: ['sessions_unavailable'],
      handler: async function endSession(req, res) {
        await sessions.end(req, res)
        res.status(204).end()
      },
    }),
  }
}
