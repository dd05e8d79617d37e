import * as z from 'zod'
import { type Operation, operation } from '#pkg/operation/index.ts'

export function ping(): Operation {
  return operation({
    id: 'ping',
    summary: 'Responds with pong',
    public: true,
    responses: {
      200: {
        description: 'Pong',
        schema: () => z.object({ message: z.literal('pong') }).meta({ id: 'Pong' }),
        example: { message: 'pong' },
      },
    },
    handler: function ping(_req, res) {
      res.json({ message: 'pong' })
    },
  })
}
