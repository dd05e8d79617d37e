import type { TimeoutRule } from '../../scripts/check-timeouts.ts'

export const rules: readonly TimeoutRule[] = [
  {
    file: 'base/deployment.yaml',
    pattern: /terminationGracePeriodSeconds: (\d+)/g,
    must: 'exceed',
    setting: 'SHUTDOWN_TIMEOUT_MS',
  },
  {
    file: 'overlays/mesh/kustomization.yaml',
    pattern: /idle_timeout: (\d+)s \}\n +explicit_http_config/g,
    must: 'stay below',
    setting: 'KEEP_ALIVE_TIMEOUT_MS',
  },
  {
    file: 'overlays/mesh/kustomization.yaml',
    pattern: / timeout: 0s, idle_timeout: (\d+)s/g,
    must: 'exceed',
    setting: 'REQUEST_TIMEOUT_MS',
  },
]
