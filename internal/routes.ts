import type { Route } from '#pkg/operation/index.ts'
import type { Guard } from '#pkg/operation/openapi.ts'
import { buildInfo } from './build-info.ts'
import { docs, docsFile } from './handler/docs.ts'
import { openapi } from './handler/openapi.ts'
import { ping } from './handler/ping.ts'
import { version } from './handler/version.ts'
import { welcome } from './handler/welcome.ts'

/** The settings that the routes use. Add a variable here to use it in a route. */
export interface RouteSettings {
  readonly FEATURES: readonly ('board' | 'docs' | 'version')[]
  readonly NODE_ENV: string
}

export interface RoutesDeps {
  /** Returns the current settings, which may change at run time. */
  readonly settings: () => RouteSettings
  /** Routes of optional modules: resources and sessions. */
  readonly optional: readonly Route[]
  /** @default every operation is public */
  readonly guard?: Guard | undefined
}

/** Lists every route of the service except the probes. */
export function listRoutes({ settings, optional, guard }: RoutesDeps): Route[] {
  const hasDocs = () => settings().FEATURES.includes('docs')
  const documented: Route[] = [
    { path: '/ping', get: ping() },
    { path: '/version', get: version(buildInfo), when: () => settings().FEATURES.includes('version') },
    ...optional,
  ]
  documented.push({
    path: '/openapi.json',
    get: openapi({ build: buildInfo, routes: documented, guard }),
    when: hasDocs,
  })
  return [
    ...documented,
    { path: '/', get: welcome(buildInfo), when: () => settings().NODE_ENV === 'development' },
    { path: '/docs', get: docs(buildInfo), when: hasDocs },
    { path: '/docs/:file', get: docsFile(), when: hasDocs },
  ]
}
