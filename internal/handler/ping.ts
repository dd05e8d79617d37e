import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'

export function ping(): Operation {
  return operation({
    id: 'ping',
    summary: 'Responds with pong-1',
    public: true,
    responses: {
      200: {
        description: 'Pong',
        schema: () => z.object({ message: z.literal('pong-1') }),
        example: { message: 'pong-1' },
      },
    },
    handler: function ping(_req, res) {
      res.json({ message: 'pong-1' })
    },
  })
}
