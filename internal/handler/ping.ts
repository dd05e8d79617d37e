import * as z from 'zod/mini'
import { type Operation, operation } from '#pkg/web/index.ts'

export function ping(): Operation {
  return operation({
    id: 'ping',
    summary: 'Whether the service answers',
    responses: {
      200: {
        description: 'It does',
        schema: () => z.object({ message: z.literal('pong') }),
        example: { message: 'pong' },
      },
    },
    handler: function ping(_req, res) {
      res.json({ message: 'pong' })
    },
  })
}
