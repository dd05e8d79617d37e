import * as z from 'zod'
import type { OperationDescription, ResponseDescription } from '#pkg/operation/index.ts'
import { DIALECTS, READY, type Reply, STANDARD } from './probes.ts'

/* The probes in /openapi.json. They respond before the router (probes.ts), so no route describes them. */

const status = z.enum(['ok', 'fail'])
const text = (maxLength: number, pattern: RegExp) => z.string().max(maxLength).regex(pattern)
const word = text(200, /^\S+$/)
const unixSeconds = z.int().min(0)

const probeSchema = z
  .object({ status, reason: z.enum(['dependency', 'starting', 'draining']).optional() })
  .meta({ id: 'Probe' })

const aggregateSchema = z
  .object({
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
  .meta({ id: 'Health' })

const describeAggregate = (description: string, status: 'ok' | 'fail'): ResponseDescription => ({
  description,
  mediaTypes: ['text/html'],
  schema: () => aggregateSchema,
  example: {
    status,
    service: 'my-service',
    version: '1.4.0',
    timestamp: 1_795_353_962,
    checks: {
      database: { status, critical: true, latencyMs: 0.8, checkedAt: 1_795_353_961 },
      redis: { status: 'fail', critical: false, reason: 'timeout', checkedAt: 1_795_353_960 },
    },
  },
})

const describeReply = (description: string, { body }: Reply): ResponseDescription => ({
  description,
  schema: () => probeSchema,
  example: JSON.parse(body),
})

export const PROBES: Readonly<Record<string, OperationDescription>> = {
  '/health': {
    id: 'health',
    summary: 'Returns the state of every check, as JSON or as a page',
    responses: {
      200: describeAggregate('Every critical check succeeds', 'ok'),
      503: describeAggregate('A critical check fails', 'fail'),
    },
  },
  '/health/live': {
    id: 'live',
    summary: 'Tells whether the process responds, without checking dependencies',
    responses: { 200: describeReply('The process responds', STANDARD.ok) },
  },
  '/health/ready': {
    id: 'ready',
    summary: 'Tells whether the instance accepts traffic',
    query: z.object({
      dialect: z
        .enum(DIALECTS)
        .describe('The load balancer or registry whose status codes the response uses')
        .optional(),
    }),
    responses: {
      200: describeReply('The instance accepts traffic', STANDARD.ok),
      404: describeReply('HAProxy: send no new clients', READY.haproxy.draining),
      429: describeReply('Consul: a check that is not critical fails', READY.consul.warning),
      503: describeReply('The instance is starting or draining, or a critical dependency is down', STANDARD.dependency),
    },
  },
  '/health/startup': {
    id: 'startup',
    summary: 'Tells whether the start has finished',
    responses: {
      200: describeReply('The start has finished', STANDARD.ok),
      503: describeReply('The start has not finished', STANDARD.starting),
    },
  },
}
