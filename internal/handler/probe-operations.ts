import * as z from 'zod'
import { REASONS } from '#pkg/health/policy.ts'
import type { DescribedRoute } from '#pkg/operation/openapi.ts'

/*
 * The probes as /openapi.json shows them. They are answered before the router (probes.ts), which no route describes.
 */

const status = z.enum(['ok', 'fail'])

const probe = z.object({ status, reason: z.enum(['dependency', 'starting', 'draining']).optional() })

const aggregate = z.object({
  status,
  service: z.string().max(214),
  version: z.string().max(256),
  timestamp: z.int(),
  checks: z.record(
    z.string().max(32),
    z.object({
      status,
      critical: z.boolean(),
      reason: z.enum(REASONS).optional(),
      latencyMs: z.number().optional(),
      checkedAt: z.int().optional(),
    }),
  ),
})

const health = (status: 'ok' | 'fail') => ({
  status,
  service: 'my-service',
  version: '1.4.0',
  timestamp: 1_795_353_962,
  checks: {
    database: { status, critical: true, latencyMs: 0.8, checkedAt: 1_795_353_961 },
    redis: { status: 'fail', critical: false, reason: 'timeout', checkedAt: 1_795_353_960 },
  },
})

const page = (description: string) => ({ description, schema: () => aggregate, mediaTypes: ['text/html'] })

const ok = (description: string) => ({ description, schema: () => probe, example: { status: 'ok' } })

const fail = (description: string, reason: string) => ({
  description,
  schema: () => probe,
  example: { status: 'fail', reason },
})

export const PROBES: readonly DescribedRoute[] = [
  {
    path: '/health',
    get: {
      id: 'health',
      summary: 'The state of every check; a page for those who would rather have HTML',
      responses: {
        200: { ...page('Every critical check is ok'), example: health('ok') },
        503: { ...page('A critical check fails'), example: health('fail') },
      },
    },
  },
  {
    path: '/health/live',
    get: {
      id: 'live',
      summary: 'Whether the process can answer; looks at no dependency',
      responses: { 200: ok('It can') },
    },
  },
  {
    path: '/health/ready',
    get: {
      id: 'ready',
      summary: 'Whether traffic is wanted',
      query: z.object({ dialect: z.enum(['standard', 'haproxy', 'envoy', 'consul']).optional() }),
      responses: {
        200: ok('It is'),
        404: fail('HAProxy: no new clients', 'draining'),
        429: {
          description: 'Consul: a check that is not critical fails',
          schema: () => probe,
          example: { status: 'ok', reason: 'dependency' },
        },
        503: fail('Starting, draining, or a critical dependency is down', 'dependency'),
      },
    },
  },
  {
    path: '/health/startup',
    get: {
      id: 'startup',
      summary: 'Whether the start is over',
      responses: { 200: ok('It is, and stays so'), 503: fail('Not yet', 'starting') },
    },
  },
]
