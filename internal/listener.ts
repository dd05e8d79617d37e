import { type ConnectionLimitOptions, type ListenOptions, limitConnections, listen } from '#pkg/lifecycle/index.ts'
import type { Logger } from '#pkg/logging/index.ts'
import { createServer, type ServerOptions } from './server.ts'
import { logAcceptError, logConnectionLimit, logListening } from './telemetry/log-events.ts'

export interface ListenerDeps extends ServerOptions, Pick<ConnectionLimitOptions, 'reservedFiles' | 'openFiles'> {
  /** Name of the listener in log lines. */
  readonly name: string
  readonly logger: Logger
}

/** Creates a server that limits its connections, and logs its address and its failures. */
export function createListener({ name, logger, reservedFiles, openFiles, ...options }: ListenerDeps) {
  const http = createServer(options)
  const { server, drain } = http
  const onEvent = logConnectionLimit(logger, name)
  limitConnections({ server, closeIdle: drain.closeIdle, reservedFiles, openFiles, onEvent })
  return {
    ...http,
    /** @param message the message of the log line with the address */
    async listen(address: Omit<ListenOptions, 'server'>, message = 'listening'): Promise<void> {
      await listen({ server, ...address })
      server.on('error', logAcceptError(logger, name))
      logListening(logger, message, server.address())
    },
  }
}
