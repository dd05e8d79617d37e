import { describe, expect, test } from '@jest/globals'
import { selectLines } from './select.ts'

const lines = (...text: string[]) => text.join('\n')
const isKept = (part: string) => part === 'nginx'

describe('lines', () => {
  test('of a part that goes are gone, and those of one that stays have no mark any more', () => {
    const text = lines('one', 'two // [only nginx]', 'three # [only dns]', '| four | <!-- [only dns nginx] -->', 'five')
    expect(selectLines(text, isKept)).toBe(lines('one', 'two', '| four |', 'five'))
  })

  test('between a mark alone on its line and the end are one block', () => {
    const text = lines('one', '  // [only dns]', '  two', '  // [end]', '# [only nginx]', 'three', '# [end]', 'four')
    expect(selectLines(text, isKept)).toBe(lines('one', 'three', 'four'))
  })

  test('with a mark of their own go from a block that stays, and do not stay in one that goes', () => {
    const text = lines('<!-- [only nginx] -->', 'one', 'two <!-- [only dns] -->', '<!-- [end] -->')
    expect(selectLines(text, isKept)).toBe('one')
    expect(selectLines(text, (part) => part === 'dns')).toBe('')
  })

  test('that go leave one empty line where two would meet', () => {
    const text = lines('one', '', '// [only dns]', 'two', '// [end]', '', 'three')
    expect(selectLines(text, isKept)).toBe(lines('one', '', 'three'))
  })

  test('of a list that has no others leave it on one line', () => {
    const text = lines('const all = [', '  // [only dns]', '  one,', '  // [end]', ']', 'next(all)')
    expect(selectLines(text, isKept)).toBe(lines('const all = []', 'next(all)'))
  })

  test('that nobody has marked stay as they are, with all that looks like a mark', () => {
    const text = lines('see [only nginx] there', '', '', 'list[end]', '// [only nginx] and more')
    expect(selectLines(text, isKept)).toBe(text)
  })

  test.each([
    ['a block without an end', lines('// [only nginx]', 'one')],
    ['an end without a block', lines('one', '// [end]')],
    ['a block in a block', lines('// [only nginx]', '// [only dns]', '// [end]', '// [end]')],
  ])('%s is a mistake', (_name, text) => {
    expect(() => selectLines(text, isKept)).toThrow(/block/)
  })
})
