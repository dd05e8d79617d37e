import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  { file: 'app.conf', pattern: /^stopwaitsecs *= *(\d+)/gm, must: 'exceed', setting: 'SHUTDOWN_TIMEOUT_MS' },
]
