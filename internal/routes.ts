import type { IRouter } from 'express'
import { type Route, route } from '#pkg/web/index.ts'
import type { Access } from './access.ts'
import { buildInfo } from './build-info.ts'
import { docs, docsFile } from './handler/docs.ts'
import { openapi } from './handler/openapi.ts'
import { ping } from './handler/ping.ts'
import { version } from './handler/version.ts'

export interface RoutesDeps {
  /** Whether a feature of FEATURES is on, which may change at any time. */
  readonly isOn: (feature: 'docs' | 'version') => boolean
  /** Unset: what is under /v1 is open to everyone. */
  readonly access?: Pick<Access, 'routes' | 'errors' | 'guard'>
  /** What needs a database. */
  readonly resources: readonly Route[]
}

/** What this service answers, besides the probes. */
export function routes(app: IRouter, { isOn, access, resources }: RoutesDeps): void {
  const all: Route[] = [
    { path: '/ping', get: ping() },
    { path: '/version', get: version(buildInfo), when: () => isOn('version') },
    ...(access?.routes ?? []),
    ...resources,
  ]
  const when = () => isOn('docs')
  all.push({ path: '/openapi.json', get: openapi({ ...access, build: buildInfo, routes: all }), when })
  // Not in the document: no client that is made from it has a use for a page.
  const pages: Route[] = [
    { path: '/docs', get: docs(buildInfo), when },
    { path: '/docs/:file', get: docsFile(), when },
  ]
  for (const each of [...all, ...pages]) route(app, each)
}
