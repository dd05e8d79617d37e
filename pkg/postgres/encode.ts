import type { SerializedValue } from './statement.ts'

/** Execute without a limit of rows, and Sync. */
const EXECUTE_AND_SYNC = Buffer.from('450000000900000000005300000004', 'hex')
const BIND = 0x42
const NULL_LENGTH = -1

/**
 * Encodes the execution of a statement that the server has parsed and described: Bind, Execute and Sync in one buffer.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function encodeExecution(name: string, values: readonly SerializedValue[]): Buffer {
  const sizes = values.map((value) => (value === null ? NULL_LENGTH : Buffer.byteLength(value)))
  let bindLength = 4 + 1 + name.length + 1 + 2 + 2 * values.length + 2 + 2
  for (const size of sizes) bindLength += 4 + Math.max(0, size)
  const bytes = Buffer.allocUnsafe(1 + bindLength + EXECUTE_AND_SYNC.length)
  bytes[0] = BIND
  let offset = bytes.writeInt32BE(bindLength, 1)
  // The portal has no name.
  bytes[offset++] = 0
  offset += bytes.write(name, offset, 'latin1')
  bytes[offset++] = 0
  offset = bytes.writeUInt16BE(values.length, offset)
  for (const value of values) offset = bytes.writeUInt16BE(Number(value instanceof Buffer), offset)
  offset = bytes.writeUInt16BE(values.length, offset)
  for (const [index, value] of values.entries()) {
    offset = bytes.writeInt32BE(sizes[index] ?? NULL_LENGTH, offset)
    if (typeof value === 'string') offset += bytes.write(value, offset)
    else if (value !== null) offset += value.copy(bytes, offset)
  }
  // Every column of the result is text.
  offset = bytes.writeUInt16BE(0, offset)
  EXECUTE_AND_SYNC.copy(bytes, offset)
  return bytes
}
