import { describe, expect, test } from '@jest/globals'
import { readChoices } from './choices.ts'

const template = { name: 'old-name', ways: ['kubernetes', 'nginx'] }

test('NAME alone keeps the example and every way of deployment', () => {
  expect(readChoices({ NAME: 'orders' }, template)).toEqual({
    choices: { name: 'orders', example: 'yes', deploy: 'all' },
    reset: false,
  })
})

test('the choices have the values of the variables', () => {
  const given = { NAME: 'orders', EXAMPLE: 'no', DEPLOY: 'nginx,kubernetes', HISTORY: 'reset' }
  expect(readChoices(given, template)).toEqual({
    choices: { name: 'orders', example: 'no', deploy: 'nginx,kubernetes' },
    reset: true,
  })
})

describe('a name', () => {
  test.each(['a', 'new', 'app', 'node', 'old-name-2', 'a--b', 'express', 'a'.repeat(55)])('%j is accepted', (NAME) => {
    expect(readChoices({ NAME }, template)).toMatchObject({ choices: { name: NAME } })
  })

  test.each([
    ['', 'missing'],
    ['old-name', 'name of the template'],
    ['kubernetes', 'Kubernetes API'],
    ['true', 'YAML'],
    ['no', 'YAML'],
    ...[
      'a/b',
      '../x',
      'Orders',
      '2fast',
      '-a',
      'a-',
      'a_b',
      'a b',
      'a.b',
      'ä',
      'a\n',
      'a'.repeat(56),
      'a'.repeat(64),
    ].map((name) => [name, 'lower-case letters'] as const),
  ])('%j is refused', (NAME, why) => {
    expect(() => readChoices({ NAME }, template)).toThrow(new RegExp(`^NAME: [^]*${why}[^\n]*$`))
  })
})

test('all problems are reported together', () => {
  const given = { EXAMPLE: 'maybe', DEPLOY: 'nginx,swarm,', HISTORY: 'gone' }
  const lines = [
    /NAME: is missing: make init NAME=orders/,
    /EXAMPLE: got "maybe", expected one of yes, no/,
    /HISTORY: got "gone", expected one of keep, reset/,
    /DEPLOY: got "swarm", expected one of all, kubernetes, nginx/,
    /DEPLOY: got "", expected one of all, kubernetes, nginx/,
  ]
  const message = new RegExp(`^${lines.map(({ source }) => source).join('\\n')}$`)
  expect(() => readChoices(given, template)).toThrow(message)
})
