import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  {
    file: 'nginx.conf',
    pattern: /keepalive_timeout (\d+)s/g,
    must: 'stay below',
    setting: 'KEEP_ALIVE_TIMEOUT_MS',
  },
  { file: 'nginx.conf', pattern: /proxy_(?:read|send)_timeout (\d+)s/g, must: 'exceed', setting: 'REQUEST_TIMEOUT_MS' },
]
