import type { RequestListener } from 'node:http'
import type { Request } from 'express'
import { requestId } from '#pkg/http/request-id.ts'
import type { Logger } from '#pkg/logging/index.ts'
import type { Route } from '#pkg/operation/index.ts'
import { type Admission, type AdmissionOptions, createAdmission, createPriorityTable } from '#pkg/overload/index.ts'
import { identifyClient } from '#pkg/rate-limit/rate-limit.ts'
import { logEvent } from './telemetry/log-events.ts'

export interface OverloadDeps extends Pick<AdmissionOptions, 'maxWaitMs' | 'brownout' | 'clock'> {
  readonly handler: RequestListener
  /** The routes of the handler. */
  readonly routes: readonly Route[]
  readonly logger: Logger
}

/** Creates the queue in front of Express. The server must have the message classes of Express. */
export function createOverload({ handler, routes, logger, ...options }: OverloadDeps): Admission {
  return createAdmission({
    ...options,
    handler: (request, response, arrivedAt) => {
      // The deadline of the calls includes the wait in the queue.
      request.arrivedAt = arrivedAt
      handler(request, response)
    },
    findPriority: createPriorityTable(routes),
    // The message classes refer to the app and its trusted proxies, so `ip` works before Express sees the request.
    identify: (request) => identifyClient((request as Request).ip ?? ''),
    requestId,
    onBrownout({ isOn, averageWaitMs }) {
      const fields = { 'App.overload.average_wait_ms': Math.round(averageWaitMs) }
      if (isOn) logEvent(logger, 'warn', 'background operations off', fields)
      else logEvent(logger, 'info', 'background operations on', fields)
    },
  })
}
