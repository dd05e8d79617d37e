import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { ConfigError } from './load.ts'
import { createSettings } from './settings.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'settings-'))
  file = join(directory, 'settings.json')
})
afterEach(() => rmSync(directory, { recursive: true }))

const write = (content: unknown) => writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))

function problemsOf(action: () => unknown): readonly string[] {
  try {
    action()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

test('the file wins over the environment, and reload takes over what changed', () => {
  write({ LOG_LEVEL: 'debug', HEALTH_FALL: 3, REDIS_CRITICAL: false })
  const settings = createSettings({ SETTINGS_FILE: file, LOG_LEVEL: 'warn', HEALTH_RISE: '4' })
  expect(settings.current()).toMatchObject({
    LOG_LEVEL: 'debug',
    HEALTH_FALL: 3,
    REDIS_CRITICAL: false,
    HEALTH_RISE: 4,
  })
  write({ HEALTH_FALL: '5' })
  expect([...settings.reload()].sort()).toEqual(['HEALTH_FALL', 'LOG_LEVEL', 'REDIS_CRITICAL'])
  expect(settings.current()).toMatchObject({ LOG_LEVEL: 'warn', HEALTH_FALL: 5, REDIS_CRITICAL: true })
  expect(Object.isFrozen(settings.current())).toBe(true)
  expect(settings.reload()).toEqual([])
})

test.each([
  ['no JSON', '{"LOG_LEVEL": ', /a JSON file/],
  ['no object', [1], /a JSON object/],
  ['a name that does not exist', { LOGLEVEL: 'debug' }, /there is no LOGLEVEL/],
  ['a name that every object has', { constructor: 'x' }, /there is no constructor/],
  ['what cannot change', { PORT: 9000 }, /no PORT: it cannot change while the service runs/],
  ['a secret', { DATABASE_URL: 'postgres://app:hunter2@db/app' }, /no DATABASE_URL: it cannot change/],
  ['a value that is refused', { LOG_LEVEL: 'loud' }, /^LOG_LEVEL: got "loud", expected one of/],
  ['a value that is no value', { HEALTH_FALL: { at: 3 } }, /a string, number or boolean for HEALTH_FALL/],
  ['an unknown check', { HEALTH_CRITICAL: 'payments' }, /names of HEALTH_CHECKS/],
])('%s changes nothing and says why, at the start and on reload', (_name, content, message) => {
  write({ HEALTH_FALL: 7 })
  const settings = createSettings({ SETTINGS_FILE: file })
  const before = settings.current()
  write(content)
  for (const action of [() => settings.reload(), () => createSettings({ SETTINGS_FILE: file })]) {
    const problems = problemsOf(action)
    expect(problems).toEqual([expect.stringMatching(message)])
    expect(problems.join()).not.toContain('hunter2')
  }
  expect(settings.current()).toBe(before)
})

test('a file that is gone changes nothing, and every problem is told at once', () => {
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  expect(problemsOf(() => settings.reload())).toEqual([expect.stringMatching(/can be read \(ENOENT\)/)])
  write({ LOG_LEVEL: 'loud', HEALTH_FALL: 0, PORT: 1 })
  expect(problemsOf(() => settings.reload())).toHaveLength(3)
})

test('what is fixed at the start stays: the environment and the files of secrets', () => {
  const secret = join(directory, 'secret')
  writeFileSync(secret, 'redis://one')
  write({})
  const environment: Record<string, string> = { SETTINGS_FILE: file, REDIS_URL_FILE: secret, PORT: '1' }
  const settings = createSettings(environment)
  writeFileSync(secret, 'redis://two')
  environment['PORT'] = '2'
  expect(settings.reload()).toEqual([])
  expect(settings.current()).toMatchObject({ REDIS_URL: 'redis://one', PORT: 1 })
})

test('a change of the file is seen, and so is a mounted ConfigMap that is swapped', async () => {
  for (const version of ['one', 'two']) {
    mkdirSync(join(directory, version))
    writeFileSync(join(directory, version, 'settings.json'), '{}')
  }
  symlinkSync('one', join(directory, '..data'))
  symlinkSync('..data/settings.json', file)
  const settings = createSettings({ SETTINGS_FILE: file })
  // Before anybody watches: what was changed since it was read is a change too.
  symlinkSync('two', join(directory, '..data_tmp'))
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  await new Promise<void>((resolve) => {
    const unwatch = settings.watch(() => {
      unwatch()
      resolve()
    })
  })
  settings.reload()
})
