import type { Response } from 'express'
import * as z from 'zod'
import { type Operation, operation, type Route } from '#pkg/operation/index.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import type { BuildInfo } from '../build-info.ts'
import { PROBLEMS } from '../problems.ts'

export interface OpenapiDeps {
  readonly build: BuildInfo
  readonly routes: readonly Route[]
  readonly guard?: Guard
}

/** Returns the document of the paths that exist at the moment. It is rendered once for each set of paths. */
export function openapi({ build, routes, ...rest }: OpenapiDeps): Operation {
  let rendered: { readonly paths: string; readonly text: Promise<string> } | undefined

  async function render(existing: readonly Route[]): Promise<string> {
    const [{ renderOpenapi }, { PROBES }] = await Promise.all([
      import('#pkg/operation/openapi.ts'),
      import('./probe-operations.ts'),
    ])
    const document = renderOpenapi({
      title: build.name,
      version: build.version,
      routes: existing,
      probes: PROBES,
      problems: PROBLEMS,
      commonProblems: ['too_many_requests', 'internal'],
      ...rest,
    })
    return JSON.stringify(document)
  }

  function readText(): Promise<string> {
    const existing = routes.filter(({ when }) => when?.() !== false)
    const paths = existing.map(({ path }) => path).join()
    if (rendered?.paths !== paths) rendered = { paths, text: render(existing) }
    return rendered.text
  }

  return operation({
    id: 'openapi',
    summary: 'Returns this document',
    responses: { 200: { description: 'OpenAPI 3.1', schema: () => z.looseObject({ openapi: z.literal('3.1.1') }) } },
    handler: async function openapi(_req, res: Response) {
      res.type('json').send(await readText())
    },
  })
}
