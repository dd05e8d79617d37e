import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  { file: 'app@.service', pattern: /^TimeoutStopSec=(\d+)/gm, must: 'exceed', setting: 'SHUTDOWN_TIMEOUT_MS' },
]
