import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, test } from '@jest/globals'
import { createLogger } from '#pkg/logging/index.ts'
import { createTurnClock } from '#pkg/overload/index.ts'
import { createOverload } from './overload.ts'

test('a request keeps the time of its arrival while it waits in the queue', async () => {
  let time = 1_000
  const handled = Promise.withResolvers<IncomingMessage>()
  const { admit, stop } = createOverload({
    handler: handled.resolve,
    routes: [],
    maxWaitMs: 20,
    logger: createLogger({ level: 'silent', destination: { write() {} } }),
    clock: createTurnClock({ now: () => time, sleptMs: () => 0 }),
  })
  const request = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/' })
  admit(request, new ServerResponse(request))
  time += 80
  expect((await handled.promise).arrivedAt).toBe(1_000)
  stop()
})
