import type { Logger } from '#pkg/logging/index.ts'
import type { Decision, Override, Pending, ResponderEvent, Verdict } from '#pkg/respond/index.ts'
import { logEvent } from './log-events.ts'

const MESSAGES = {
  act: 'action started',
  'dry run': 'action not started in a dry run',
  'no rule': 'alert without a rule',
  duplicate: 'alert known',
  stopped: 'action refused by the kill switch',
  'invalid target': 'action without a valid target',
  'cooling down': 'action refused by the cool-down',
  'limit reached': 'action refused by the hourly limit',
  resolved: 'alert resolved',
} as const satisfies Record<Verdict, string>

const WARNINGS: ReadonlySet<Verdict> = new Set(['act', 'stopped', 'invalid target', 'limit reached'])

/** A label may contain a text of any length, and Elasticsearch does not index long keywords. */
const MAX_LENGTH = 200

/** The audit line of each decision, and a line for the end of each action. */
export const logResponder = (logger: Logger) => (event: ResponderEvent) => {
  switch (event.type) {
    case 'decided': {
      const { verdict } = event.decision
      return logEvent(logger, WARNINGS.has(verdict) ? 'warn' : 'info', MESSAGES[verdict], describe(event.decision))
    }
    case 'acted':
      return logEvent(logger, 'info', 'action performed', describePending(event.pending))
    case 'failed':
      return logEvent(logger, 'error', 'action failed', { ...describePending(event.pending), err: event.err })
    case 'recovered': {
      const fields = { ...describePending(event.pending), 'App.respond.recovery_ms': event.afterMs }
      return logEvent(logger, 'info', 'signal recovered', fields)
    }
    case 'not recovered':
      return logEvent(logger, 'error', 'signal not recovered', describePending(event.pending))
    case 'query failed':
      return logEvent(logger, 'warn', 'signal not queried', { ...describePending(event.pending), err: event.err })
    case 'state not saved':
      return logEvent(logger, 'error', 'state not saved', { err: event.err })
  }
}

function describe({ verdict, alert, rule, target }: Decision) {
  return {
    'App.respond.verdict': verdict,
    'App.respond.alert': (alert.labels['alertname'] ?? '').slice(0, MAX_LENGTH),
    'App.respond.fingerprint': alert.fingerprint,
    'App.respond.rule': rule?.name,
    'App.respond.action': rule?.action.type,
    'App.respond.target': target,
  }
}

const describePending = ({ alert, fingerprint, rule, target }: Pending) => ({
  'App.respond.alert': alert,
  'App.respond.fingerprint': fingerprint,
  'App.respond.rule': rule,
  'App.respond.target': target,
})

/** Logs the end of a temporary change of SETTINGS_FILE. */
export const logRestore = (logger: Logger) => (override: Override, err?: unknown) => {
  const fields = { 'App.settings.changed': [override.setting], 'App.respond.target': override.value }
  if (err === undefined) logEvent(logger, 'info', 'setting restored', fields)
  else logEvent(logger, 'error', 'setting not restored', { ...fields, err })
}

export const logLostMessage = (logger: Logger) => (reason: string, messages: number) =>
  logEvent(logger, 'error', 'messages to WeCom lost', { 'event.reason': reason, 'App.respond.messages': messages })
