import type { StartedSpan, Tracer } from './tracer.ts'

/** The properties of the message that every version of the client has. */
interface Message {
  readonly command: string
  readonly database?: number
  readonly serverAddress?: string
  readonly serverPort?: number | undefined
  readonly error?: unknown
}

/**
 * Records the commands of `@redis/client`, which publishes them on a tracing channel of Node. The arguments of a command
 * may contain values and are not recorded. Returns a function that ends the subscription.
 */
export function traceRedis(tracer: Pick<Tracer, 'start'>): () => void {
  const { tracingChannel } = process.getBuiltinModule('node:diagnostics_channel')
  const channel = tracingChannel<object, Message>('node-redis:command')
  const spans = new WeakMap<Message, StartedSpan>()
  const subscribers = {
    start(message: Message): void {
      const { command, database, serverAddress, serverPort } = message
      const span = tracer.start(command, {
        kind: 'client',
        attributes: {
          'db.system.name': 'redis',
          'db.operation.name': command,
          'db.query.summary': command,
          ...(database !== undefined && { 'db.namespace': String(database) }),
          ...(serverAddress !== undefined && { 'server.address': serverAddress }),
          ...(serverPort !== undefined && { 'server.port': serverPort }),
        },
      })
      if (span !== undefined) spans.set(message, span)
    },
    asyncEnd(message: Message): void {
      spans.get(message)?.end(message.error)
    },
    error(message: Message): void {
      // The client threw before it sent the command.
      spans.get(message)?.end(message.error ?? 'error')
    },
  }
  channel.subscribe(subscribers as Parameters<typeof channel.subscribe>[0])
  return () => void channel.unsubscribe(subscribers as Parameters<typeof channel.unsubscribe>[0])
}
