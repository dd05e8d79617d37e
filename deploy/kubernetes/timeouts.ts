import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  {
    file: 'base/deployment.yaml',
    pattern: /terminationGracePeriodSeconds: (\d+)/g,
    must: 'exceed',
    setting: 'SHUTDOWN_TIMEOUT_MS',
  },
]
