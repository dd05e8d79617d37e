import { expect, test } from '@jest/globals'
import { nextSteps, publicAddress } from './next-steps.ts'

test.each([
  ['https://user:token@example.com/template.git', 'https://example.com/template.git'],
  ['git@example.com:team/template.git', 'git@example.com:team/template.git'],
  ['ssh://git@example.com/template.git', 'ssh://git@example.com/template.git'],
  ['/home/me/template', undefined],
  ['../template', undefined],
  ['file:///home/me/template', undefined],
  ['', undefined],
])('the recorded address of %j is %j', (address, recorded) => {
  expect(publicAddress(address)).toBe(recorded)
})

test('the next steps name the service, its license and the way back', () => {
  const text = nextSteps({ name: 'orders', license: 'none', parent: 'c0ffee', branch: 'main' })
  for (const part of ['service orders', 'make run', 'push -u origin main', 'no license', 'git reset --hard c0ffee'])
    expect(text).toContain(part)
})

test('a service on no branch, as in a clone of a tag, gets a branch before the push', () => {
  const text = nextSteps({ name: 'orders', license: 'none', parent: 'c0ffee', branch: '' })
  expect(text).toContain('git remote add origin URL && git switch --create main && git push -u origin main\n')
})
