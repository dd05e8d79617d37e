import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { temporaryDirectory } from '../../test/support/temporary.ts'
import { format } from './format.ts'
import { readNames } from './names.ts'
import { fillRegistrations, REGISTRATIONS, register } from './registration.ts'

const directory = temporaryDirectory('merge')

/** Merges as Git does for the files of .gitattributes with `merge=union`. */
function merge(ours: string, base: string, theirs: string): string {
  const files = Object.entries({ ours, base, theirs }).map(([name, text]) => {
    writeFileSync(join(directory, name), text)
    return join(directory, name)
  })
  return execFileSync('git', ['merge-file', '-p', '--union', ...files], { encoding: 'utf8' })
}

const add = (text: string, path: string, name: string): string => {
  const registrations = fillRegistrations(readNames({ NAME: name }), `20261123070809-${name}s`)
  return format(path, register(text, registrations.find((each) => each.path === path)!))
}

const lines = (text: string) => text.split('\n').filter((line) => line !== '')

test.each(REGISTRATIONS.map(({ path }) => path))('Git merges two resources of two branches in %s', (path) => {
  expect(readFileSync('.gitattributes', 'utf8')).toContain(`${path} merge=union\n`)
  const base = add(readFileSync(path, 'utf8'), path, 'mango')
  const [ours, theirs] = [add(base, path, 'apple'), add(base, path, 'zebra')]
  const merged = merge(ours, base, theirs)
  expect(lines(format(path, merged)).sort()).toEqual(lines(add(ours, path, 'zebra')).sort())
})

test.each(REGISTRATIONS.map(({ path }) => path))('make lint accepts the merged %s', (path) => {
  const base = readFileSync(path, 'utf8')
  const merged = merge(add(base, path, 'zebra'), base, add(base, path, 'apple'))
  expect(format(path, merged)).toBe(merged)
})
