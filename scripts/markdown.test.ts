import { expect, test } from '@jest/globals'
import { dropDeadLinks } from './markdown.ts'

const lines = (...text: string[]) => text.join('\n')
const drop = (text: string) => {
  const files: Record<string, string> = { 'docs/page.md': text, 'docs/here.md': '', 'deploy/nginx/nginx.conf': '' }
  const after = Object.keys(files)
  const before = [...after, 'docs/gone.md', 'deploy/dns/zone']
  return dropDeadLinks(before, after, (path) => files[path] ?? '').get('docs/page.md') ?? text
}

test('only items and rows that link to a missing file are removed', () => {
  expect(
    drop(lines('- [a](here.md#part)', '- [b](gone.md#part)', '1. [c](../deploy/nginx/)', '2. [d](../deploy/dns/)')),
  ).toBe(lines('- [a](here.md#part)', '1. [c](../deploy/nginx/)'))
  expect(drop(lines('| a | b |', '| - | - |', '| x | [y](gone.md), [z](here.md) |', '| x | y |'))).toBe(
    lines('| a | b |', '| - | - |', '| x | y |'),
  )
})

test('the continuation lines of an item are removed with it, and the items around it stay', () => {
  const list = lines(
    '- one',
    '  of two lines',
    '- two, see',
    '  [there](gone.md)',
    '  and there',
    '  - nested',
    '- three',
  )
  expect(drop(list)).toBe(lines('- one', '  of two lines', '  - nested', '- three'))
})

test('an empty list or table leaves neither a header nor a second empty line', () => {
  expect(drop(lines('| a |', '| - |', '| b |', '| [x](gone.md) |', '', 'one'))).toBe(
    lines('| a |', '| - |', '| b |', '', 'one'),
  )
  expect(
    drop(lines('one', '', '| a |', '| - |', '| [x](gone.md) |', '', 'two', '', '- [x](gone.md)', '', 'three')),
  ).toBe(lines('one', '', 'two', '', 'three'))
})

test('a sentence or a remark with a link to a missing file is removed from its paragraph', () => {
  expect(
    drop(lines('# Title', '', 'One. See', '[there](gone.md)', 'for more. Two ([x](gone.md)) is: [y](gone.md).')),
  ).toBe(lines('# Title', '', 'One. Two is.'))
})

test('a section that loses its text loses its heading, and comments of code are no headings', () => {
  const section = lines('## Gone', '', 'See [there](gone.md).', '', '### Also', '', '- [x](gone.md)', '')
  const code = lines('## Code', '', '```sh', '# [x](gone.md)', '# none', '```')
  expect(drop(lines('# Title', '', section, code, '', section))).toBe(lines('# Title', '', code, ''))
})

test('a sentence that names in code something that is gone is removed', () => {
  const text = 'Run `make here`. Run `make gone`.'
  expect([
    ...dropDeadLinks(
      ['a.md'],
      ['a.md'],
      () => text,
      (code) => code.includes('gone'),
    ),
  ]).toEqual([['a.md', 'Run `make here`.']])
})

test('links to files that this project never had stay: a path of the service, an ignored or a planned file', () => {
  const text = lines('- [docs](/docs)', '- [env](../.env)', '', 'See [the plan](plan.md).')
  expect(drop(text)).toBe(text)
})

test('URLs, links to headings, code and pages without dead links stay unchanged', () => {
  const text = lines(
    'See [there](here.md).',
    '',
    '',
    '```',
    'See [there](gone.md).',
    '```',
    '',
    '- [a](https://example.com/gone.md)',
    '- [b](#gone)',
    '- [c]',
  )
  expect(drop(text)).toBe(text)
})

test('only pages that change are returned, and a folder exists when it holds a file', () => {
  const pages: Record<string, string> = {
    'a.md': '- [x](docs)\n- [y](gone)',
    'docs/b.md': '- [x](../a.md)',
    'c.txt': '',
  }
  const before = [...Object.keys(pages), 'gone']
  expect([...dropDeadLinks(before, Object.keys(pages), (path) => pages[path] ?? '')]).toEqual([['a.md', '- [x](docs)']])
})
