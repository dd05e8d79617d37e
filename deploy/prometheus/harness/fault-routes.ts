import { sql } from 'kysely'
import * as z from 'zod'
import { listResources as listOwn, type ResourcesDeps } from '../../../internal/resources.ts'
import { type Operation, operation, type Route } from '../../../pkg/operation/index.ts'
import { clients } from './fault-upstream.ts'

const get = (id: string, handler: (durationMs: number) => unknown): Route => {
  const fault: Operation = operation({
    id,
    summary: id,
    public: true,
    query: z.object({ ms: z.coerce.number().max(10_000).default(0) }),
    responses: { 200: { description: 'The fault has happened' } },
    async handler(req, res) {
      await handler(req.query.ms)
      res.end()
    },
  })
  return { path: `/faults/${id}`, get: fault }
}

/** The resource routes of the service, and routes that cause faults. build-faulty.ts builds them into the artifact. */
export function listResources(deps: ResourcesDeps): Route[] {
  const { db } = deps
  const sleep = (ms: number) => sql`select pg_sleep(${ms / 1e3})`
  return [
    ...listOwn(deps),
    get('query', (ms) => sleep(ms).execute(db)),
    get('failing-query', () => sql`select 1 / 0`.execute(db).catch(() => {})),
    get('transaction', (ms) => db.transaction().execute((transaction) => sleep(ms).execute(transaction))),
    // The route succeeds although its call fails, so a failing upstream does not raise the error rate.
    get('call', () => {
      const search = clients.find(({ name }) => name === 'search')
      return search?.request({ method: 'GET', path: '/' }).catch(() => {})
    }),
    get('error', () => {
      throw new Error('injected')
    }),
    get('block', (ms) => {
      const end = performance.now() + ms
      while (performance.now() < end);
    }),
  ]
}
