/** Defined by scripts/bundle.ts. */
declare const BUILD_INFO: typeof NOT_BUILT

const NOT_BUILT = {
  name: 'my-service',
  version: '0.0.0-dev',
  commit: 'unknown',
  /** Time of the commit in ISO 8601, so that builds of the same commit are byte-identical. */
  time: 'unknown',
}

export type BuildInfo = typeof NOT_BUILT

export const buildInfo = typeof BUILD_INFO === 'undefined' ? NOT_BUILT : BUILD_INFO
