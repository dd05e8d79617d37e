import { expect, test } from '@jest/globals'
import { dropUses } from './capabilities.ts'
import type { Tree } from './make-service.ts'

const files = {
  'config/mail.ts': 'export const mailVariables = {\n  MAIL_URL: url().optional(),\n}\n',
  'internal/mail.ts': '',
  'pkg/mail/index.ts': '',
  '.env.example': '# Mail.\n#MAIL_URL=\n\n# The port.\n#PORT=\n\n# May hold MAIL_URL, PORT.\n#FILE=\n',
}

/** Returns a file of the service without mail. */
function drop(lines: readonly string[], path = 'internal/app.ts'): string {
  const template: Tree = new Map(Object.entries({ ...files, [path]: lines.join('\n') }))
  const kept = new Map([...template].filter(([each]) => !each.includes('mail')))
  return dropUses(template, kept).get(path) ?? ''
}

test.each([
  ['an import', ["import { a } from './a.ts'", "import type { Mail } from '#pkg/mail/index.ts'", '', 'a()'], [0, 2, 3]],
  ['a namespace', ["import * as mail from './mail.ts'", 'const all = {', '  mail,', '  a,', '}'], [1, 3, 4]],
  ['an import on several lines', ['import {', '  type A,', '  b,', "} from './mail.ts'", 'export {}'], [4]],
  ['a spread item', ["import { mail } from './mail.ts'", 'const all = [', '  ...mail,', '  a,', ']'], [1, 3, 4]],
  ['a variable', ['const all = [', "  'MAIL_URL',", "  'PORT',", ']'], [0, 2, 3]],
  [
    'an item with its comment',
    ['const all = {', '  // Mail.', '  mail: f(config.MAIL_URL, (url) => ({', '    url,', '  })),', '  a,', '}'],
    [0, 5, 6],
  ],
  [
    'an if block',
    [
      'run(() => {',
      '  if (options.mail) {',
      "    const { m } = await import('./mail.ts')",
      '    use(m)',
      '  }',
      '  b()',
      '})',
    ],
    [0, 5, 6],
  ],
  [
    'a declaration and its uses',
    [
      'run(() => {',
      '  const post =',
      '    on &&',
      "    (await import('./mail.ts')).m({",
      '      a,',
      '    })',
      '  if (post) use(post.part)',
      '  c({',
      '    end: post?.end,',
      '    other: a.post,',
      '  })',
      '})',
    ],
    [0, 7, 9, 10, 11],
  ],
  ['a call on several lines', ['f()', 'reject(', "  'MAIL_URL',", '  wrong,', ')', 'g()'], [0, 5]],
])('%s is removed, and the rest stays', (_title, lines, left) => {
  expect(drop(lines)).toBe(left.map((index) => lines[index]).join('\n'))
})

test('a list on one line loses only the items that use the removed file', () => {
  const lines = ["import { mail } from './mail.ts'", 'const all = [...(mail?.routes ?? []), ...rest, f(mail)]']
  expect(drop(lines)).toBe('const all = [...rest]')
})

test('two groups of lines stay separated by one empty line', () => {
  expect(drop(["import { mail } from './mail.ts'", 'a()', '', 'mail()', '', 'b()'])).toBe('a()\n\nb()')
})

test('a constant that only removed lines used is removed', () => {
  const lines = [
    "import { mail } from './mail.ts'",
    'run(() => {',
    '  const a = f?.a',
    '  const b = g()',
    '  const { c } = i',
    '  mail(a, b, c)',
    '  h(b)',
    '})',
  ]
  expect(drop(lines)).toBe('run(() => {\n  const b = g()\n  h(b)\n})')
})

test('names of properties, and names in comments and in texts, stay', () => {
  const lines = ["import { mail } from './mail.ts'", '// By mail.', "send('mail')", 'user.mail()', 'mail-box']
  expect(drop(lines)).toBe(lines.slice(1).join('\n'))
})

test('.env.example loses the paragraphs and the mentions of the removed variables', () => {
  const lines = files['.env.example'].split('\n')
  expect(drop(lines, '.env.example')).toBe('# The port.\n#PORT=\n\n# May hold PORT.\n#FILE=\n')
})
