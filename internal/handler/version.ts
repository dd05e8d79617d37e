import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'
import type { BuildInfo } from '../build-info.ts'

const word = z.string().max(200).regex(/^\S+$/)

export function version(build: BuildInfo): Operation {
  return operation({
    id: 'version',
    priority: 'background',
    summary: 'Returns the build of this instance',
    responses: {
      200: {
        description: 'The build',
        schema: () =>
          z.object({ name: word, version: word, commit: word, time: word }).meta({ id: 'Version', examples: [build] }),
      },
    },
    handler: function version(_req, res) {
      res.json(build)
    },
  })
}
