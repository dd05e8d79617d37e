import type { RequestHandler } from 'express'
import type { BuildInfo } from '../build-info.ts'

/** Which build answers. */
export function version(build: BuildInfo): RequestHandler {
  return function version(_req, res) {
    res.json(build)
  }
}
