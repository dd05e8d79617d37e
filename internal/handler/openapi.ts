import * as z from 'zod/mini'
import { HTTP_ERRORS, type HttpErrorTable, type Operation, operation, type Route } from '#pkg/web/index.ts'
import type { Guard, Openapi } from '#pkg/web/openapi.ts'
import type { BuildInfo } from '../build-info.ts'

export interface OpenapiDeps {
  readonly build: BuildInfo
  readonly routes: readonly Route[]
  /** Besides HTTP_ERRORS. @default none */
  readonly errors?: HttpErrorTable
  readonly guard?: Guard
}

/** The document of what is there at the moment: a path that is switched off is not in it. */
export function openapi({ build, routes, errors = {}, ...rest }: OpenapiDeps): Operation {
  let made: { readonly of: string; readonly document: Openapi } | undefined

  async function document(): Promise<Openapi> {
    const there = routes.filter(({ when }) => when?.() !== false)
    const of = there.map(({ path }) => path).join()
    if (made?.of !== of) {
      const [{ openapi }, { PROBES }] = await Promise.all([
        import('#pkg/web/openapi.ts'),
        import('./probe-operations.ts'),
      ])
      const { name: title, version } = build
      made = {
        of,
        document: openapi({
          title,
          version,
          routes: there,
          probes: PROBES,
          errors: { ...HTTP_ERRORS, ...errors },
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
