import { expect, test } from '@jest/globals'
import { mergeMessages, plain, splitMarkdown } from './markdown.ts'

test('a text is split into parts of at most 4096 bytes, between lines and never in a character', () => {
  const text = `${'好'.repeat(1_000)}\n${'😀'.repeat(3_000)}`
  const parts = splitMarkdown(text)
  expect(parts.join('')).toBe(text)
  expect(Math.max(...parts.map((part) => Buffer.byteLength(part)))).toBeLessThanOrEqual(4_096)
  expect(parts[0]).toBe(`${'好'.repeat(1_000)}\n`)
  expect(parts.every((part) => part.isWellFormed())).toBe(true)
  expect(splitMarkdown('')).toEqual([])
  expect(splitMarkdown('a')).toEqual(['a'])
})

test('few messages become one, and of many the last part tells the rest', () => {
  expect(mergeMessages(['a', 'b'])).toEqual(['a\n\nb'])
  const many = mergeMessages(Array.from({ length: 1_000 }, (_, index) => `${index} ${'好'.repeat(100)}`))
  expect(many).toHaveLength(5)
  expect(Math.max(...many.map((part) => Buffer.byteLength(part)))).toBeLessThanOrEqual(4_096)
  const [, missing] = /\((\d+) more messages\)$/.exec(many[4]!)!
  const last = Number([...many[4]!.matchAll(/^(\d+) /gm)].at(-1)![1])
  expect(Number(missing)).toBe(1_000 - last - 1)
})

test('a label becomes one line without markup, at most 200 characters', () => {
  expect(plain('a\n> b <font color="red">**x**</font> [l](http://x) `$(rm)` <@all>')).toBe(
    'a b font color="red"x/font lhttp://x $rm all',
  )
  expect(plain('😀'.repeat(100_000))).toBe('😀'.repeat(200))
})
