export interface BuildInfo {
  readonly name: string
  readonly version: string
  readonly commit: string
  /** When the commit was made, in ISO 8601: two builds of one commit are the same, byte for byte. */
  readonly time: string
}

/** Put in by scripts/bundle.ts. */
declare const BUILD_INFO: BuildInfo

const NOT_BUILT: BuildInfo = {
  name: 'my-service',
  version: '0.0.0-dev',
  commit: 'unknown',
  time: 'unknown',
}

export const buildInfo: BuildInfo = typeof BUILD_INFO === 'undefined' ? NOT_BUILT : BUILD_INFO
