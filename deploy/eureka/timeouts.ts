import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  { file: 'haproxy.cfg', pattern: /pool-purge-delay (\d+)s/g, must: 'stay below', setting: 'KEEP_ALIVE_TIMEOUT_MS' },
  { file: 'haproxy.cfg', pattern: /timeout server (\d+)s/g, must: 'exceed', setting: 'REQUEST_TIMEOUT_MS' },
]
