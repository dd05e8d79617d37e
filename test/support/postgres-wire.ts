/*
 * The messages of PostgreSQL's protocol that the proxy reads:
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */

export interface Frame {
  /** The type of the message: one letter. */
  readonly type: string
  readonly body: Buffer
}

/** Returns a function that takes the chunks of a stream and returns the complete messages. */
export function createFrameReader(): (chunk: Buffer) => Frame[] {
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
export function readStatements(): (chunk: Buffer) => string[] {
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
