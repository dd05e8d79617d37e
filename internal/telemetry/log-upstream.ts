import type { Logger } from '#pkg/logging/index.ts'
import type { UpstreamEvent } from '#pkg/upstream/index.ts'
import { logEvent } from './log-events.ts'

const CIRCUIT_MESSAGES = {
  closed: 'circuit closed',
  open: 'circuit opened',
  'half-open': 'circuit half-open',
  isolated: 'circuit opened by an operator',
} as const

/** Logs changes of the instances of an upstream and of the state of its circuit. */
export const logUpstream = (logger: Logger) => (event: UpstreamEvent) => {
  const target = { 'service.target.name': event.upstream }
  switch (event.type) {
    case 'circuit': {
      const isOpen = event.state === 'open' || event.state === 'isolated'
      return logEvent(logger, isOpen ? 'error' : 'info', CIRCUIT_MESSAGES[event.state], target)
    }
    case 'instance ejected':
    case 'instance back': {
      const instance = { 'server.address': event.host, 'server.port': event.port }
      return logEvent(logger, event.type === 'instance back' ? 'info' : 'warn', event.type, { ...target, ...instance })
    }
    case 'instances changed': {
      const instances = { 'App.upstream.added': event.added, 'App.upstream.removed': event.removed }
      return logEvent(logger, 'info', event.type, { ...target, ...instances })
    }
    case 'not resolved':
      return logEvent(logger, 'warn', 'upstream not resolved', { ...target, err: event.error })
  }
}
