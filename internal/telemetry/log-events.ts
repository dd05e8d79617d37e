import type { AddressInfo } from 'node:net'
import type { HealthEvent } from '#pkg/health/index.ts'
import { toIp } from '#pkg/http/client-address.ts'
import type { ClientErrorEvent } from '#pkg/http/client-errors.ts'
import type { ConnectionLimitEvent, LifecycleEvent } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'

type Level = 'debug' | 'info' | 'warn' | 'error' | 'fatal'

const LIFECYCLE_LEVELS = {
  serving: 'info',
  signal: 'info',
  draining: 'info',
  stopped: 'info',
  cut: 'error',
  'deadline missed': 'error',
  'part failed to stop': 'error',
  'failed to start': 'fatal',
  crash: 'fatal',
} as const

/**
 * Logs an event of the service. `event.action` is the message with dashes. It is a keyword, so searches and charts can
 * group by it.
 */
export function logEvent(logger: Pick<Logger, Level>, level: Level, message: string, fields: object = {}): void {
  logger[level]({ 'event.action': message.replaceAll(' ', '-'), ...fields }, message)
}

export const logLifecycle = (logger: Logger) => (event: LifecycleEvent) =>
  logEvent(logger, LIFECYCLE_LEVELS[event.type], event.type, {
    ...('signal' in event && { 'App.signal': event.signal }),
    ...('part' in event && { 'App.part': event.part }),
    ...('err' in event && { err: event.err }),
  })

/** Logs each check that changes its status. */
export const logHealth =
  (logger: Logger) =>
  ({ name, status, critical, reason, error }: HealthEvent) => {
    const target = { 'service.target.name': name }
    if (status === 'ok') logEvent(logger, 'info', 'check ok', target)
    else {
      const fields = { ...target, 'event.reason': reason, 'App.health.critical': critical, err: error }
      logEvent(logger, critical ? 'error' : 'warn', 'check failed', fields)
    }
  }

/** Logs a failed attempt to reach a store. */
export const logStoreError = (logger: Logger, store: string) => (err: Error) =>
  logEvent(logger, 'debug', 'store error', { 'service.target.name': store, err })

/** Logs the migrations of the database that this build lacks. A newer build may have applied them. */
export const logUnknownMigrations = (logger: Logger) => (migrations: readonly string[]) =>
  logEvent(logger, 'warn', 'database has migrations of another build', { 'App.migrations': migrations })

/** Logs bytes that never became a request. Such bytes have no line in the access log. */
export const logClientError =
  (logger: Logger) =>
  ({ code, status, requestId, clientAddress }: ClientErrorEvent) =>
    logEvent(logger, 'info', 'request not understood', {
      'http.request.id': requestId,
      'http.response.status_code': status,
      'error.code': code,
      'client.address': clientAddress,
      'client.ip': toIp(clientAddress),
    })

/** @param listener the name of the listener with the connections */
export const logConnectionLimit = (logger: Logger, listener: string) => (event: ConnectionLimitEvent) =>
  logEvent(logger, 'warn', event.type, {
    'App.listener': listener,
    ...('limit' in event
      ? { 'App.connections.limit': event.limit }
      : { 'App.connections.closed': event.closed, 'App.connections.refused': event.refused }),
  })

export const logAcceptError = (logger: Logger, listener: string) => (err: Error) =>
  logEvent(logger, 'error', 'connection not accepted', { 'App.listener': listener, err })

/** Logs the address of a listener: an IP address with a port, or the path of a socket. */
export function logListening(logger: Logger, message: string, address: AddressInfo | string | null): void {
  const fields =
    typeof address === 'string' || address === null
      ? { 'server.address': address ?? undefined }
      : { 'server.address': address.address, 'server.port': address.port }
  logEvent(logger, 'info', message, fields)
}
