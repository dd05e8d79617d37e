import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'
import type { BuildInfo } from '../build-info.ts'

export function version(build: BuildInfo): Operation {
  return operation({
    id: 'version',
    summary: 'The build of this instance',
    responses: {
      200: {
        description: 'The build',
        schema: () =>
          z.object({
            name: z.string().max(214),
            version: z.string().max(256),
            commit: z.string().max(64),
            time: z.string().max(25),
          }),
        example: build,
      },
    },
    handler: function version(_req, res) {
      res.json(build)
    },
  })
}
