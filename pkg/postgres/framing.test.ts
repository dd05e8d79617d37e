import { expect, test } from '@jest/globals'
import { createFramingCheck } from './framing.ts'

function message(type: string, body: string): Buffer {
  const bytes = Buffer.from(`${type}\0\0\0\0${body}`, 'latin1')
  bytes.writeUInt32BE(bytes.length - 1, 1)
  return bytes
}

const check = (chunks: readonly Uint8Array[]) => () => {
  const checkFraming = createFramingCheck()
  for (const chunk of chunks) checkFraming(chunk)
}
const singleBytes = (bytes: Buffer) => Array.from(bytes, (byte) => Buffer.from([byte]))

const VALID = Buffer.concat([
  message('R', '\0\0\0\0'),
  message('1', ''),
  message('D', 'x'.repeat(100_000)),
  message('E', 'SERROR\0Mbroken\0\0'),
  message('N', '\0'),
  message('E', 'M\0\0'),
  message('C', 'SELECT 1\0'),
  message('Z', 'I'),
])

test('messages are valid, in one chunk or byte by byte', () => {
  expect(check([VALID])).not.toThrow()
  expect(check(singleBytes(VALID))).not.toThrow()
})

test.each([
  ['an error without its end', message('E', 'SERROR\0Mbroken\0')],
  ['an error with one unfinished field', message('E', 'Mbroken')],
  ['an error whose end is one byte', message('E', 'M\0')],
  ['an empty error', message('E', '')],
  ['an empty notice', message('N', '')],
  ['an unknown type', message('q', '')],
  ['a length shorter than itself', Buffer.from([0x44, 0, 0, 0, 3])],
  ['a command of more than 30,000 bytes', message('C', 'x'.repeat(30_000))],
  ['another protocol', Buffer.from('HTTP/1.1 400 Bad Request')],
])('%s is invalid, in one chunk or byte by byte', (_name, bytes) => {
  expect(check([bytes])).toThrow()
  expect(check(singleBytes(bytes))).toThrow()
  expect(check([VALID, bytes])).toThrow()
})
