import type { IRouter } from 'express'
import { route } from '#pkg/web/index.ts'
import { buildInfo } from './build-info.ts'
import { ping } from './handler/ping.ts'
import { version } from './handler/version.ts'

export interface RoutesDeps {
  /** Whether a feature of FEATURES is on, which may change at any time. */
  readonly isOn: (feature: 'version') => boolean
}

/** What this service answers, besides the probes. */
export function routes(app: IRouter, { isOn }: RoutesDeps): void {
  route(app, '/ping', { get: ping() })
  route(app, '/version', { get: version(buildInfo) }, { when: () => isOn('version') })
}
