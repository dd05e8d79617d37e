import type { IRouter } from 'express'
import { route } from '#pkg/web/index.ts'
import { ping } from './handler/ping.ts'

/** What this service answers, besides the probes. */
export function routes(app: IRouter): void {
  route(app, '/ping', { get: ping() })
}
