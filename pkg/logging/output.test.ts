import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createOutput } from './output.ts'

let directory: string
let reader: number
let fd: number

beforeEach(() => {
  decoder = new TextDecoder()
  jest.useFakeTimers({ doNotFake: ['performance'] })
  directory = mkdtempSync(join(tmpdir(), 'output-'))
  const pipe = join(directory, 'pipe')
  execFileSync('mkfifo', [pipe])
  reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK)
  fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
})
afterEach(() => {
  closeSync(reader)
  closeSync(fd)
  rmSync(directory, { recursive: true })
  jest.useRealTimers()
})

let decoder: TextDecoder
/** Reads the bytes that the pipe holds now. */
function read(maxBytes = 1024 * 1024): string {
  const buffer = Buffer.alloc(maxBytes)
  try {
    return decoder.decode(buffer.subarray(0, readSync(reader, buffer)), { stream: true })
  } catch {
    return ''
  }
}

/** Each line has ten bytes, so the pipe (65,536 bytes) never holds a whole number of them. */
const line = (number: number) => `${String(number).padStart(9, '0')}\n`
const fill = (write: (line: string) => void, from: number, to: number) => {
  for (let number = from; number < to; number++) write(line(number))
}
const linesFrom = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, index) => line(from + index)).join('')

test('a single line is written at once, and the lines after it are written together after bufferMs', () => {
  const { write } = createOutput({ fd, bufferMs: 100 })
  write('a\n')
  expect(read()).toBe('a\n')
  write('b\n')
  write('c\n')
  expect(read()).toBe('')
  jest.advanceTimersByTime(100)
  expect(read()).toBe('b\nc\n')
  jest.advanceTimersByTime(100)
  write('d\n')
  expect(read()).toBe('d\n')
})

test('a batch has whole lines in order and never exceeds the buffer', () => {
  const { write } = createOutput({ fd, bufferBytes: 25 })
  write('first\n')
  read()
  fill(write, 0, 2)
  expect(read()).toBe('')
  write('ääääääää\n')
  expect(read()).toBe(linesFrom(0, 2))
  const long = `${'ä'.repeat(50)}\n`
  write(long)
  expect(read()).toBe('ääääääää\n')
  write('after\n')
  expect(read()).toBe(long)
})

test('writing to a full pipe does not block, and a later reader receives every line in order', () => {
  const { write } = createOutput({ fd })
  fill(write, 0, 20_000)
  let seen = ''
  for (let some = read(); some !== ''; some = read()) {
    seen += some
    jest.advanceTimersByTime(100)
  }
  expect(seen).toBe(linesFrom(0, 20_000))
})

test('lines beyond the limit are dropped, and their number is reported when the output accepts lines again', () => {
  const onDropped = jest.fn()
  const output = createOutput({ fd, maxBytes: 100_000, onDropped })
  fill(output.write, 0, 50_000)
  expect(onDropped).not.toHaveBeenCalled()
  // The number is known while the output is blocked.
  const dropped = output.dropped()
  let seen = ''
  for (let some = read(); some !== ''; some = read()) {
    seen += some
    jest.advanceTimersByTime(100)
  }
  const written = seen.length / 10
  expect(seen).toBe(linesFrom(0, written))
  // The pipe holds 64 KiB and the output 100 kB.
  expect(written).toBeGreaterThan(16_000)
  expect(onDropped.mock.calls).toEqual([[50_000 - written]])
  expect(dropped).toBe(50_000 - written)
  output.write('after\n')
  jest.advanceTimersByTime(100)
  expect(read()).toBe('after\n')
})

test.each([100, 1_000])(
  'an output that accepts every line drops none with a buffer of %i bytes and a limit of 100',
  (bufferBytes) => {
    const { write, dropped, flushSync } = createOutput({ fd, bufferBytes, maxBytes: 100 })
    fill(write, 0, 100)
    flushSync()
    expect(dropped()).toBe(0)
    expect(read()).toBe(linesFrom(0, 100))
  },
)

test('a full disk causes no error, and flushSync returns', () => {
  const full = openSync('/dev/full', 'w')
  const onDropped = jest.fn()
  const output = createOutput({ fd: full, maxBytes: 1_000, onDropped })
  fill(output.write, 0, 1_000)
  jest.advanceTimersByTime(10_000)
  output.flushSync()
  expect(onDropped).not.toHaveBeenCalled()
  closeSync(full)
})

test('flushSync writes the buffered lines, and gives up on a full pipe', () => {
  const output = createOutput({ fd, giveUpMs: 20 })
  fill(output.write, 0, 5)
  output.flushSync()
  expect(read()).toBe(linesFrom(0, 5))
  fill(output.write, 5, 20_000)
  output.flushSync()
  expect(read()).toMatch(/^000000005\n/)
})

test('flushSync reports dropped lines', () => {
  const dropped: number[] = []
  const output = createOutput({ fd, maxBytes: 10_000, onDropped: (lines) => dropped.push(lines) })
  fill(output.write, 0, 20_000)
  const before = read().length
  output.flushSync()
  expect(before + read().length + 10 * (dropped[0] ?? 0)).toBe(200_000)
})

test('after a full pipe each write is atomic, so the lines of several processes do not mix', () => {
  const outputs = [createOutput({ fd }), createOutput({ fd })]
  const texts = ['a', 'ü'].map((letter) => `${letter.repeat(150)}\n`)
  for (let round = 0; round < 2_000; round++) outputs.forEach(({ write }, index) => void write(texts[index] ?? ''))
  let seen = ''
  for (let some = read(3_000); some !== ''; some = read(3_000)) {
    seen += some
    jest.advanceTimersByTime(5)
  }
  const broken = seen.split('\n').filter((line) => line !== '' && !texts.includes(`${line}\n`))
  expect(broken).toEqual([])
  expect(seen.length).toBe(4_000 * 151)
})
