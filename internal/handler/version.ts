import * as z from 'zod/mini'
import { type Operation, operation } from '#pkg/web/index.ts'
import type { BuildInfo } from '../build-info.ts'

export function version(build: BuildInfo): Operation {
  return operation({
    id: 'version',
    summary: 'Which build answers',
    responses: {
      200: {
        description: 'This one',
        schema: () => z.object({ name: z.string(), version: z.string(), commit: z.string(), time: z.string() }),
        example: build,
      },
    },
    handler: function version(_req, res) {
      res.json(build)
    },
  })
}
