import { expect, test } from '@jest/globals'
import type { Tree } from './make-service.ts'
import { createGone, dropCommands, listPagesOfGone } from './mentions.ts'

const service: Tree = new Map([
  ['Makefile', 'build: dist/app ## build\nlint:\n'],
  ['docs/here.md', ''],
  ['.ci/run', '#!/usr/bin/env bash\n# Runs every check.\nmake lint\n# Slow.\nmake load QUICK=1\n'],
  ['.github/workflows/nightly.yml', 'target:\n  # Slow.\n  - load QUICK=1\n  - lint\n'],
])
const template: Tree = new Map([...service, ['load/load.mk', 'load: build\n'], ['docs/gone.md', '']])
const isGone = createGone(template, service)

test.each(['make load', 'QUICK=1 make load', 'docs/gone.md', 'load/'])('%s is gone', (code) => {
  expect(isGone(code)).toBe(true)
})

test.each(['make lint', 'make other', 'docs/here.md', 'docs/never.md', 'load', 'application/json'])(
  '%s stays',
  (code) => {
    expect(isGone(code)).toBe(false)
  },
)

test('a page that explains a command that is gone is found', () => {
  const pages: Tree = new Map([
    ['docs/load.md', '# Load\n\n```sh\nmake lint\nmake load QUICK=1   # short\n```\n'],
    ['docs/lint.md', '# Lint\n\nNot `make load`.\n\n```sh\nmake lint\n```\n'],
    ['deploy/load.md', '```sh\nmake load\n```\n'],
  ])
  expect(listPagesOfGone(pages, isGone)).toEqual(['docs/load.md'])
})

test('commands that are gone leave the scripts and the workflows of the CI, with the comments before them', () => {
  expect([...dropCommands(service, isGone)]).toEqual([
    ['.ci/run', '#!/usr/bin/env bash\n# Runs every check.\nmake lint\n'],
    ['.github/workflows/nightly.yml', 'target:\n  - lint\n'],
  ])
})
