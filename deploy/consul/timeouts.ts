import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  { file: 'envoy.yaml', pattern: /\{ idle_timeout: (\d+)s/g, must: 'stay below', setting: 'KEEP_ALIVE_TIMEOUT_MS' },
  {
    file: 'envoy.yaml',
    pattern: / timeout: 0s\s+idle_timeout: (\d+)s/g,
    must: 'exceed',
    setting: 'REQUEST_TIMEOUT_MS',
  },
]
