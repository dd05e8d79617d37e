import * as z from 'zod'
import { type Operation, operation, type Route } from '#pkg/operation/index.ts'
import type { Guard, Openapi } from '#pkg/operation/openapi.ts'
import type { BuildInfo } from '../build-info.ts'
import { PROBLEMS } from '../problems.ts'

export interface OpenapiDeps {
  readonly build: BuildInfo
  readonly routes: readonly Route[]
  readonly guard?: Guard
}

/** The document of what is there at the moment: a path that is switched off is not in it. */
export function openapi({ build, routes, ...rest }: OpenapiDeps): Operation {
  let made: { readonly of: string; readonly document: Openapi } | undefined

  async function document(): Promise<Openapi> {
    const there = routes.filter(({ when }) => when?.() !== false)
    const of = there.map(({ path }) => path).join()
    if (made?.of !== of) {
      const [{ renderOpenapi }, { PROBES }] = await Promise.all([
        import('#pkg/operation/openapi.ts'),
        import('./probe-operations.ts'),
      ])
      const { name: title, version } = build
      made = {
        of,
        document: renderOpenapi({
          title,
          version,
          routes: there,
          probes: PROBES,
          problems: PROBLEMS,
          commonProblems: ['too_many_requests', 'internal'],
          ...rest,
        }),
      }
    }
    return made.document
  }

  return operation({
    id: 'openapi',
    summary: 'This document',
    responses: { 200: { description: 'OpenAPI 3.1', schema: () => z.looseObject({ openapi: z.literal('3.1.1') }) } },
    handler: async function openapi(_req, res) {
      res.json(await document())
    },
  })
}
