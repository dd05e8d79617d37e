import type { Response } from 'express'
import * as z from 'zod'
import { type Operation, operation, type Route } from '#pkg/operation/index.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import type { BuildInfo } from '../build-info.ts'
import { PROBLEMS } from '../problems.ts'

export interface OpenapiDeps {
  readonly build: BuildInfo
  readonly routes: readonly Route[]
  readonly guard?: Guard | undefined
}

const DESCRIPTION =
  'Each error is a problem document (RFC 9457). Programs read its `code`, which is stable; the other texts are for people.'

const COMMON_HEADERS = {
  'X-Request-Id': 'The id of the request in the log: the id that the client sent, or a new id',
  RateLimit:
    'The remaining requests of the client (r) and the seconds until the count restarts (t), if there is a limit',
  'RateLimit-Policy': 'The requests of a client (q) in a window of seconds (w), if there is a limit',
}

/** Returns the OpenAPI document of the paths that exist now. Renders the document once for each set of paths. */
export function openapi({ build, routes, guard }: OpenapiDeps): Operation {
  let rendered: { readonly paths: string; readonly text: Promise<string> } | undefined

  async function render(existing: readonly Route[]): Promise<string> {
    const { renderOpenapi } = await import('#pkg/operation/openapi.ts')
    const { PROBES } = await import('./probe-operations.ts')
    return renderOpenapi({
      info: { title: build.name, version: build.version, description: DESCRIPTION },
      routes: existing,
      probes: PROBES,
      problems: PROBLEMS,
      commonProblems: ['bad_request', 'too_many_requests', 'overloaded', 'internal'],
      commonHeaders: COMMON_HEADERS,
      guard,
    })
  }

  return operation({
    id: 'openapi',
    priority: 'background',
    summary: 'Returns this document',
    responses: { 200: { description: 'OpenAPI 3.1', schema: () => z.looseObject({ openapi: z.literal('3.1.1') }) } },
    handler: async function openapi(_req, res: Response) {
      const existing = routes.filter(({ when }) => when?.() !== false)
      const paths = existing.map(({ path }) => path).join()
      if (rendered?.paths !== paths) rendered = { paths, text: render(existing) }
      res.type('json').send(await rendered.text)
    },
  })
}
