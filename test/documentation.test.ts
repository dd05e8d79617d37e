import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { schema } from '#config/env.ts'

/*
 * These tests check that every name in the pages exists: linked pages and headings, files, targets of make, variables,
 * log lines.
 */
const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).split('\n').filter(Boolean)
const tracked = git('ls-files', '--cached', '--others', '--exclude-standard')
  .filter((file) => existsSync(file))
  .sort()
const pages = tracked.filter((file) => file.endsWith('.md') && !file.startsWith('bench/'))
const makefile = tracked
  .filter((file) => /^Makefile$|\.mk$/.test(file))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n')

/** Returns the anchor that GitHub gives to a heading. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\w\- ]/g, '')
    .replaceAll(' ', '-')

const listAnchors = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchor(heading))

/** The files that may read a variable in addition to the schema. */
const texts = tracked
  .filter((file) => /^(Makefile|Dockerfile|(scripts|pkg|deploy|load|chaos|\.ci)\/.*)$/.test(file))
  .map((file) => readFileSync(file, 'utf8'))

const isVariable = (name: string) =>
  Object.hasOwn(schema, name) ||
  Object.hasOwn(schema, name.replace(/_FILE$/, '')) ||
  texts.some((text) => new RegExp(`\\b${name}\\b`).test(text))

describe.each(pages)('%s', (page) => {
  const text = readFileSync(page, 'utf8')
  const code = [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)

  test('links to existing files and headings', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = '']) => link)
    const dead = links.filter((link) => {
      const [path = '', heading] = link.split('#')
      const file = path === '' ? page : join(dirname(page), path)
      return !existsSync(file) || (heading !== undefined && !listAnchors(file).includes(heading))
    })
    expect(dead).toEqual([])
  })

  test('names existing files', () => {
    const named = code.filter((each) =>
      /^(src|config|internal|pkg|scripts|deploy|test|bench|docs)\/[\w@./-]*$/.test(each),
    )
    const gone = named.filter((each) => !tracked.some((file) => file === each || file.startsWith(each)))
    expect(gone).toEqual([])
  })

  test('names existing targets of make', () => {
    const named = [...text.matchAll(/(?:^|`)make ([a-z][a-z0-9-]*)/gm)].map(([, target]) => target)
    expect(named.filter((target) => !new RegExp(`^${target}:`, 'm').test(makefile))).toEqual([])
  })

  test('names existing tests', () => {
    for (const [, path = '', name = ''] of text.matchAll(/([\w/]+) -t '([^']+)'/g)) {
      const files = tracked.filter((file) => file.startsWith(path) && file.endsWith('.test.ts'))
      expect([path, name, files.some((file) => readFileSync(file, 'utf8').includes(name))]).toEqual([path, name, true])
    }
  })

  test('names existing variables', () => {
    const named = code.flatMap((each) => /^[A-Z]+(?:_[A-Z]+)+(?==|$)/.exec(each)?.[0] ?? [])
    expect(named.filter((name) => !isVariable(name))).toEqual([])
  })
})

test('docs/README.md lists every page of docs/, and every decision has a different number', () => {
  const list = readFileSync('docs/README.md', 'utf8')
  const unlisted = pages.filter(
    (page) => /^docs\/[^/]+$/.test(page) && page !== 'docs/README.md' && !list.includes(`(${page.slice(5)})`),
  )
  expect(unlisted).toEqual([])
  const numbers = pages.flatMap((page) => /^docs\/decisions\/(\d{4})-/.exec(page)?.[1] ?? [])
  expect(new Set(numbers).size).toBe(numbers.length)
})

test('docs/logs.md lists messages that the service logs', () => {
  const sources = tracked
    .filter((file) => /^(internal|pkg|src)\/.*\.ts$/.test(file) && !file.endsWith('.test.ts'))
    .map((file) => readFileSync(file, 'utf8'))
  const [, section = ''] = readFileSync('docs/logs.md', 'utf8').split(/^## /m)
  const rows = section.matchAll(/^\| (`.+?) +\|/gm)
  const messages = [...rows].flatMap(([, cell = '']) => [...cell.matchAll(/`([^`]+)`/g)].map(([, message]) => message))
  expect(messages.length).toBeGreaterThan(15)
  // The heading of the column is the name of the field.
  expect(messages.shift()).toBe('message')
  expect(messages.filter((message) => !sources.some((text) => text.includes(`'${message}'`)))).toEqual([])
})
