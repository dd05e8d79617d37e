import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { createSettings } from '../config/settings.ts'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { checkTimeouts, discoverRules, type TimeoutRule, type Timeouts } from './check-timeouts.ts'

const service: Timeouts = {
  DRAIN_DELAY_MS: 5_000,
  REQUEST_TIMEOUT_MS: 15_000,
  SHUTDOWN_TIMEOUT_MS: 25_000,
  KEEP_ALIVE_TIMEOUT_MS: 75_000,
}
const read = (file: string) => readFileSync(file, 'utf8')

test('the timeouts of every folder of deploy/ fit the defaults of the service', async () => {
  expect(checkTimeouts(createSettings({}).current(), await discoverRules('deploy'), read)).toEqual([])
})

test('each rule of deploy/ rejects a wrong value and a file without a value', async () => {
  const rules = await discoverRules('deploy')
  for (const rule of rules) {
    const wrong = rule.must === 'exceed' ? '1' : '999'
    const text = read(rule.file).replaceAll(rule.pattern, (match, seconds) => match.replace(seconds, wrong))
    expect(checkTimeouts(service, [rule], () => text)).toContainEqual(expect.stringContaining(rule.setting))
    expect(checkTimeouts(service, [rule], () => '')).toEqual([`${rule.file}: no text matches ${rule.pattern}`])
  }
})

test.each([
  ['exceed', 'SHUTDOWN_TIMEOUT_MS', 25],
  ['stay below', 'KEEP_ALIVE_TIMEOUT_MS', 75],
] as const)('a value that must %s %s must differ from it', (must, setting, seconds) => {
  const rule: TimeoutRule = { file: 'tool.conf', pattern: /^timeout (\d+)s$/gm, must, setting }
  expect(checkTimeouts(service, [rule], () => `timeout ${seconds}s`)).toEqual([
    expect.stringMatching(`^tool.conf: «timeout ${seconds}s» must ${must} ${setting}, or the service `),
  ])
  const valid = must === 'exceed' ? seconds + 1 : seconds - 1
  expect(checkTimeouts(service, [rule], () => `timeout ${valid}s`)).toEqual([])
})

test('SHUTDOWN_TIMEOUT_MS must leave room for the drain delay and the last request', () => {
  expect(checkTimeouts({ ...service, DRAIN_DELAY_MS: 12_000 }, [], read)).toEqual([expect.stringContaining('no room')])
})

test('discoverRules reads every folder that declares rules', async () => {
  const deploy = temporaryDirectory('deploy')
  mkdirSync(join(deploy, 'without'))
  mkdirSync(join(deploy, 'with'))
  writeFileSync(
    join(deploy, 'with/timeouts.ts'),
    `export const rules = [{ file: 'tool.conf', pattern: /timeout (\\d+)/g, must: 'exceed', setting: 'REQUEST_TIMEOUT_MS' }]\n`,
  )
  expect(await discoverRules(deploy)).toEqual([
    { file: join(deploy, 'with/tool.conf'), pattern: /timeout (\d+)/g, must: 'exceed', setting: 'REQUEST_TIMEOUT_MS' },
  ])
  expect(await discoverRules(join(deploy, 'gone'))).toEqual([])
})
