import * as z from 'zod'
import type { OperationDescription, ResponseDescription } from '#pkg/operation/index.ts'
import type { DescribedRoute } from '#pkg/operation/openapi.ts'
import { DIALECTS } from './probes.ts'

/* The probes in /openapi.json. They respond before the router (probes.ts), so no route describes them. */

const status = z.enum(['ok', 'fail'])
const text = (maxLength: number, pattern: RegExp) => z.string().max(maxLength).regex(pattern)
const word = text(200, /^\S+$/)
const unixSeconds = z.int().min(0)

const probeSchema = z.object({ status, reason: z.enum(['dependency', 'starting', 'draining']).optional() })

const aggregateSchema = z.object({
  status,
  service: word,
  version: word,
  timestamp: unixSeconds,
  checks: z.record(
    text(32, /^[a-z][a-z0-9-]*$/),
    z.object({
      status,
      critical: z.boolean(),
      reason: word.optional(),
      latencyMs: z.number().min(0).optional(),
      checkedAt: unixSeconds.optional(),
    }),
  ),
})

function describeAggregate(status: 'ok' | 'fail', description: string): ResponseDescription {
  const example = {
    status,
    service: 'my-service',
    version: '1.4.0',
    timestamp: 1_795_353_962,
    checks: {
      database: { status, critical: true, latencyMs: 0.8, checkedAt: 1_795_353_961 },
      redis: { status: 'fail', critical: false, reason: 'timeout', checkedAt: 1_795_353_960 },
    },
  }
  return { description, schema: () => aggregateSchema, example, mediaTypes: ['text/html'] }
}

function describeReply(status: 'ok' | 'fail', description: string, reason?: string): ResponseDescription {
  return { description, schema: () => probeSchema, example: { status, reason } }
}

const describeProbe = (id: string, summary: string, responses: OperationDescription['responses']) =>
  ({ id, summary, responses, problems: ['bad_request'] }) satisfies OperationDescription

export const PROBES: readonly DescribedRoute[] = [
  {
    path: '/health',
    get: describeProbe('health', 'Returns the state of every check, as JSON or as a page', {
      200: describeAggregate('ok', 'Every critical check succeeds'),
      503: describeAggregate('fail', 'A critical check fails'),
    }),
  },
  {
    path: '/health/live',
    get: describeProbe('live', 'Tells whether the process responds; depends on nothing else', {
      200: describeReply('ok', 'The process responds'),
    }),
  },
  {
    path: '/health/ready',
    get: {
      ...describeProbe('ready', 'Tells whether the instance accepts traffic', {
        200: describeReply('ok', 'The instance accepts traffic'),
        404: describeReply('fail', 'HAProxy: send no new clients', 'draining'),
        429: describeReply('ok', 'Consul: a check that is not critical fails', 'dependency'),
        503: describeReply(
          'fail',
          'The instance is starting or draining, or a critical dependency is down',
          'dependency',
        ),
      }),
      query: z.object({ dialect: z.enum(DIALECTS).optional() }),
    },
  },
  {
    path: '/health/startup',
    get: describeProbe('startup', 'Tells whether the start has finished', {
      200: describeReply('ok', 'The start has finished'),
      503: describeReply('fail', 'The start has not finished', 'starting'),
    }),
  },
]
