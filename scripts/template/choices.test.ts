import { describe, expect, test } from '@jest/globals'
import { askLicense, readChoices } from './choices.ts'

const template = {
  name: 'old-name',
  ways: ['kubernetes', 'nginx'],
  suites: ['chaos', 'test/browser'],
  capabilities: ['respond', 'upstream'],
}
const none = { with: 'all', license: 'none', owner: '' }

test('NAME alone keeps the example, every way of deployment, every capability and every suite, and starts a new history without a license', () => {
  expect(readChoices({ NAME: 'orders' }, template)).toEqual({
    choices: { name: 'orders', example: 'yes', deploy: 'all', ...none },
    keepsHistory: false,
  })
})

test('the choices have the values of the variables', () => {
  const given = { NAME: 'orders', DEPLOY: 'nginx,kubernetes', WITH: 'chaos,upstream', HISTORY: 'keep' }
  expect(readChoices({ ...given, LICENSE: 'MIT', OWNER: 'Example Ltd' }, template)).toEqual({
    choices: {
      ...{ name: 'orders', example: 'yes', deploy: 'nginx,kubernetes' },
      ...{ with: 'chaos,upstream', license: 'MIT', owner: 'Example Ltd' },
    },
    keepsHistory: true,
  })
})

test('EXAMPLE=no keeps the capabilities, and refuses a suite, because the suites test the example', () => {
  const given = { NAME: 'orders', EXAMPLE: 'no' }
  expect(readChoices(given, template)).toMatchObject({ choices: { example: 'no', with: 'all' } })
  expect(readChoices({ ...given, WITH: 'upstream' }, template)).toMatchObject({ choices: { with: 'upstream' } })
  expect(() => readChoices({ ...given, WITH: 'chaos' }, template)).toThrow(/^WITH: .*EXAMPLE=no/)
})

test('a capability needs the capabilities that it uses', () => {
  const given = { NAME: 'orders' }
  expect(() => readChoices({ ...given, WITH: 'respond' }, template)).toThrow('WITH: respond needs upstream')
  expect(readChoices({ ...given, WITH: 'respond,upstream' }, template)).toBeDefined()
})

test.each([
  ['WITH', 'all,upstream', 'WITH: got "all" in a list'],
  ['WITH', 'upstream,none', 'WITH: got "none" in a list'],
  ['DEPLOY', 'all,nginx', 'DEPLOY: got "all" in a list'],
])('%s=%s is refused, because only the other values would count', (variable, value, message) => {
  expect(() => readChoices({ NAME: 'orders', [variable]: value }, template)).toThrow(message)
})

test.each([
  ['all', 'all'],
  ['none', 'respond,upstream'],
  ['chaos,test/browser', 'chaos,test/browser,respond,upstream'],
])('make upgrade of a service with SUITES=%s keeps WITH=%s', (SUITES, expected) => {
  const given = { NAME: 'orders', HISTORY: 'reset', SUITES }
  expect(readChoices(given, template)).toMatchObject({ choices: { with: expected } })
})

test('make upgrade of a service without a recorded license keeps the license that it had', () => {
  const owner = 'the orders authors'
  const given = { NAME: 'orders', HISTORY: 'reset' }
  expect(readChoices(given, template)).toMatchObject({ choices: { license: 'MIT', owner }, keepsHistory: false })
  expect(readChoices({ ...given, LICENSE: 'none' }, template)).toMatchObject({
    choices: { license: 'none', owner: '' },
  })
})

test.each([
  ['nothing, after two empty answers', {}, ['', ''], { LICENSE: 'none', OWNER: '' }],
  ['a license and its owner', {}, ['MIT', ' Example Ltd '], { LICENSE: 'MIT', OWNER: 'Example Ltd' }],
  ['only the owner', { LICENSE: 'MIT' }, ['Example Ltd'], { LICENSE: 'MIT', OWNER: 'Example Ltd' }],
  ['no question', { LICENSE: 'none' }, [], { LICENSE: 'none', OWNER: '' }],
])('make init asks on a terminal: %s', async (_title, given, answers, expected) => {
  const left = [...answers]
  expect(await askLicense(given, async () => left.shift() ?? '')).toEqual(expected)
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
  const given = { EXAMPLE: 'maybe', DEPLOY: 'nginx,swarm,', HISTORY: 'gone', WITH: 'soak', LICENSE: 'GPL' }
  const lines = [
    /NAME: is missing: make init NAME=orders/,
    /EXAMPLE: got "maybe", expected one of yes, no/,
    /HISTORY: got "gone", expected one of new, keep/,
    /DEPLOY: got "swarm", expected one of all, kubernetes, nginx/,
    /DEPLOY: got "", expected one of all, kubernetes, nginx/,
    /WITH: got "soak", expected one of all, none, respond, upstream, chaos, test\/browser/,
    /LICENSE: got "GPL", expected one of none, MIT, Apache-2\.0/,
    /OWNER: is missing: LICENSE=GPL OWNER='Example Ltd'/,
  ]
  const message = new RegExp(`^${lines.map(({ source }) => source).join('\\n')}$`)
  expect(() => readChoices(given, template)).toThrow(message)
})
