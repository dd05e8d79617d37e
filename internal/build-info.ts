export interface BuildInfo {
  readonly name: string
  readonly version: string
  readonly commit: string
  /** Time of the commit in ISO 8601. Builds of one commit are identical to the byte. */
  readonly time: string
}

/** Defined by scripts/bundle.ts. */
declare const BUILD_INFO: BuildInfo

const NOT_BUILT: BuildInfo = {
  name: 'my-service',
  version: '0.0.0-dev',
  commit: 'unknown',
  time: 'unknown',
}

export const buildInfo: BuildInfo = typeof BUILD_INFO === 'undefined' ? NOT_BUILT : BUILD_INFO
