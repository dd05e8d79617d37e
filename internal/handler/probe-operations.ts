import * as z from 'zod'
import type { ResponseDescription } from '#pkg/operation/index.ts'
import type { DescribedRoute } from '#pkg/operation/openapi.ts'

/* The probes in /openapi.json. They respond before the router (probes.ts), so no route describes them. */

const status = z.enum(['ok', 'fail'])

const probeSchema = z.object({ status, reason: z.enum(['dependency', 'starting', 'draining']).optional() })

const word = z.string().max(200).regex(/^\S+$/)
const unixSeconds = z.int().min(0)

const aggregateSchema = z.object({
  status,
  service: word,
  version: word,
  timestamp: unixSeconds,
  checks: z.record(
    z
      .string()
      .max(32)
      .regex(/^[a-z][a-z0-9-]*$/),
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

const describeProbe = (description: string, status: 'ok' | 'fail', reason?: string): ResponseDescription => ({
  description,
  schema: () => probeSchema,
  example: { status, reason },
})

export const PROBES: readonly DescribedRoute[] = [
  {
    path: '/health',
    get: {
      id: 'health',
      summary: 'Returns the state of every check, as JSON or as a page',
      responses: {
        200: describeAggregate('ok', 'Every critical check succeeds'),
        503: describeAggregate('fail', 'A critical check fails'),
      },
      problems: ['bad_request'],
    },
  },
  {
    path: '/health/live',
    get: {
      id: 'live',
      summary: 'Tells whether the process responds; depends on nothing else',
      responses: { 200: describeProbe('The process responds', 'ok') },
      problems: ['bad_request'],
    },
  },
  {
    path: '/health/ready',
    get: {
      id: 'ready',
      summary: 'Tells whether the instance accepts traffic',
      query: z.object({ dialect: z.enum(['standard', 'haproxy', 'envoy', 'consul']).optional() }),
      responses: {
        200: describeProbe('The instance accepts traffic', 'ok'),
        404: describeProbe('HAProxy: send no new clients', 'fail', 'draining'),
        429: describeProbe('Consul: a check that is not critical fails', 'ok', 'dependency'),
        503: describeProbe(
          'The instance is starting or draining, or a critical dependency is down',
          'fail',
          'dependency',
        ),
      },
      problems: ['bad_request'],
    },
  },
  {
    path: '/health/startup',
    get: {
      id: 'startup',
      summary: 'Tells whether the start has finished',
      responses: {
        200: describeProbe('The start has finished', 'ok'),
        503: describeProbe('The start has not finished', 'fail', 'starting'),
      },
      problems: ['bad_request'],
    },
  },
]
