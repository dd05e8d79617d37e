import { readFileSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { loadConfig } from '../config/load.ts'
import { brokenRules, RULES } from '../scripts/check-timeouts.ts'

const read = (file: string) => readFileSync(file, 'utf8')

test('every file under deploy/ fits the timeouts of the service', () => {
  expect(brokenRules(loadConfig({}), read)).toEqual([])
})

test.each(RULES)('$file: a value that $says is refused', ({ file, pattern, holds }) => {
  const shutdown = { drainDelay: 5, shutdown: 25, keepAlive: 75, request: 15 }
  // One of the two is wrong, whichever way the rule goes.
  const wrong = holds(1, shutdown) ? '999' : '1'
  const spoilt = (name: string) =>
    name === file ? read(name).replaceAll(pattern, (text, seconds) => text.replace(seconds, wrong)) : read(name)
  expect(brokenRules(loadConfig({}), spoilt).join()).toContain(file)
  expect(brokenRules(loadConfig({}), (name) => (name === file ? '' : read(name))).join()).toContain('nothing matches')
})

test('a stop without room for the last request is refused', () => {
  expect(brokenRules(loadConfig({ DRAIN_DELAY_MS: '12000' }), read)).toEqual([expect.stringContaining('no room')])
})
