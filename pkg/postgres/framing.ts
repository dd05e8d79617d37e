/*
 * Checks the bytes of a server before the parser of pg gets them. On an error message without a terminator, the parser
 * loops forever. On a message with an impossible length, it waits for bytes that never arrive.
 */

/** Types of the messages that a server sends: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const SHORT = 'RKSZC123Inst' + 'GHWcv'
/** Like libpq, accept only these types beyond 30,000 bytes: `VALID_LONG_MESSAGE_TYPE` in fe-protocol3.c. */
const LONG = 'DTdEVNA'
const MAX_SHORT = 30_000
const MAX_LONG = 2 ** 30

const maxLengths = new Float64Array(256)
for (const type of SHORT) maxLengths[type.charCodeAt(0)] = MAX_SHORT
for (const type of LONG) maxLengths[type.charCodeAt(0)] = MAX_LONG

const ERROR = 'E'.charCodeAt(0)
const NOTICE = 'N'.charCodeAt(0)
const HEADER_BYTES = 5

/** Returns a function that checks one connection, chunk by chunk. @throws when a chunk does not follow the protocol */
export function createFramingCheck(): (chunk: Uint8Array) => void {
  let headerBytes = 0
  let type = 0
  let length = 0
  /** Bytes of the message that have not arrived. */
  let missing = 0
  /** The last two bytes of an error or a notice. Both are 0: the end of the last field and the end of the fields. */
  let tail = 0

  function readHeader(byte: number): void {
    if (headerBytes++ === 0) {
      type = byte
      length = 0
      return
    }
    length = length * 256 + byte
    if (headerBytes < HEADER_BYTES) return
    headerBytes = 0
    missing = length - 4
    tail = 0
    const isValid = missing >= (type === ERROR || type === NOTICE ? 1 : 0) && length <= (maxLengths[type] ?? 0)
    if (!isValid) throw new Error(`a message of type ${type} cannot have ${length} bytes`)
  }

  return function checkFraming(chunk) {
    let offset = 0
    while (offset < chunk.length) {
      if (missing === 0) {
        readHeader(chunk[offset++] ?? 0)
        continue
      }
      const end = Math.min(offset + missing, chunk.length)
      missing -= end - offset
      if (type === ERROR || type === NOTICE) {
        for (let at = Math.max(offset, end - 2); at < end; at++) tail = (tail * 256 + (chunk[at] ?? 0)) & 0xffff
        if (missing === 0 && tail !== 0) throw new Error('an error message has no terminator')
      }
      offset = end
    }
  }
}
