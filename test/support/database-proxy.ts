import { connect, createServer, type Socket } from 'node:net'
import { listen } from './listen.ts'
import { reset } from './reset.ts'

/**
 * The moment to cut a connection: before the server gets a COMMIT, or after the server has executed a write and before
 * its client gets the result. A write is a COMMIT, or a statement outside a transaction.
 */
export type Cut = 'before-commit' | 'after-write'

export interface DatabaseProxy {
  readonly url: string
  /** Cuts the next connection that reaches this moment. Resolves after the cut. */
  cutNext(cut: Cut): Promise<void>
  /** Cancels the cuts that have not happened. Returns their number. */
  disarm(): number
  /** Resets every connection. */
  cutAll(): void
  stop(): Promise<void>
}

const COMMAND = /^(BEGIN|COMMIT|INSERT|UPDATE|DELETE)\b/

export interface DatabaseProxyOptions {
  readonly target: { readonly url: string; readonly port: number }
  /** Called for each statement that a client executes. */
  readonly onStatement?: (sql: string) => void
}

/** Forwards connections to a PostgreSQL and cuts them at chosen moments. */
export async function startDatabaseProxy({
  target,
  onStatement = () => {},
}: DatabaseProxyOptions): Promise<DatabaseProxy> {
  const connections = new Set<() => void>()
  const armed: { readonly cut: Cut; readonly done: () => void }[] = []

  /** Returns true when a test has requested a cut at this moment. */
  function isDue(cut: Cut): boolean {
    const index = armed.findIndex((each) => each.cut === cut)
    const [due] = index < 0 ? [] : armed.splice(index, 1)
    due?.done()
    return due !== undefined
  }

  function forward(client: Socket): void {
    const server = connect(target.port, '127.0.0.1')
    const cut = () => {
      connections.delete(cut)
      reset(client)
      server.destroy()
    }
    connections.add(cut)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', cut).on('close', cut)
    }
    const statements = readStatements()
    client.on('data', (chunk: Buffer) => {
      const sent = statements(chunk)
      sent.forEach(onStatement)
      const sendsCommit = sent.some((sql) => /^\s*commit\b/i.test(sql))
      if (sendsCommit && isDue('before-commit')) cut()
      else server.write(chunk)
    })
    let inTransaction = false
    const frames = createFrameReader()
    server.on('data', (chunk: Buffer) => {
      const hasWritten = frames(chunk).some(({ type, body }) => {
        if (type === 'Z') inTransaction = body.toString('latin1', 0, 1) !== 'I'
        const [tag = ''] = type === 'C' ? (COMMAND.exec(body.toString('latin1')) ?? []) : []
        // One round trip may begin a transaction and write.
        if (tag === 'BEGIN') inTransaction = true
        return tag === 'COMMIT' || (tag !== '' && !inTransaction)
      })
      if (hasWritten && isDue('after-write')) cut()
      else client.write(chunk)
    })
  }

  const { port, stop } = await listen(createServer(forward))
  const cutAll = () => {
    for (const cut of connections) cut()
  }
  return {
    url: target.url.replace(`:${target.port}/`, `:${port}/`),
    cutNext: (cut) => new Promise((done) => void armed.push({ cut, done })),
    disarm: () => armed.splice(0).length,
    cutAll,
    stop() {
      cutAll()
      return stop()
    },
  }
}

/*
 * The messages of PostgreSQL's protocol that the proxy reads:
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

interface Frame {
  /** The type of the message: one letter. */
  readonly type: string
  readonly body: Buffer
}

/** Returns a function that takes the chunks of a stream and returns the complete messages. */
function createFrameReader(): (chunk: Buffer) => Frame[] {
  let pending: Buffer = Buffer.alloc(0)
  return function read(chunk) {
    pending = Buffer.concat([pending, chunk])
    const frames: Frame[] = []
    while (pending.length >= 5) {
      const end = 1 + pending.readUInt32BE(1)
      if (pending.length < end) break
      frames.push({ type: String.fromCharCode(pending[0] ?? 0), body: pending.subarray(5, end) })
      pending = pending.subarray(end)
    }
    return frames
  }
}

const readStrings = (body: Buffer) => body.toString('utf8').split('\0')

/** Returns a function that takes the chunks of a client and returns the texts of the statements that they execute. */
function readStatements(): (chunk: Buffer) => string[] {
  const frames = createFrameReader()
  const prepared = new Map<string, string>()
  let hasStarted = false
  return function read(chunk) {
    // The first message has no type. The client sends it alone and waits.
    if (!hasStarted) {
      hasStarted = true
      return []
    }
    return frames(chunk).flatMap(({ type, body }) => {
      const [first = '', second = ''] = readStrings(body)
      if (type === 'Q') return [first]
      if (type === 'P') prepared.set(first, second)
      // Bind names a portal and a prepared statement.
      return type === 'B' ? [prepared.get(second) ?? ''] : []
    })
  }
}
