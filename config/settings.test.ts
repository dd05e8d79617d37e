import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { temporaryDirectory } from '../test/support/temporary.ts'
import { ConfigError, readTextFile } from './load.ts'
import { createSettings, type Settings } from './settings.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = temporaryDirectory('settings')
  file = join(directory, 'settings.json')
})
afterEach(() => void jest.useRealTimers())

const write = (content: unknown) => writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))

function findProblems(action: () => unknown): readonly string[] {
  try {
    action()
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

/** Counts the reports of five seconds. */
function countReports({ watch }: Pick<Settings, 'watch'>): number {
  const listener = jest.fn()
  watch(listener)
  jest.advanceTimersByTime(5_000)
  return listener.mock.calls.length
}

test('SETTINGS_FILE takes precedence over the environment, and a reload applies its changes', () => {
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
  ['a file that is not JSON', '{"LOG_LEVEL": ', /a JSON file$/],
  ['the file of a secret', 'hunter2', /a JSON file$/],
  ['a secret after a value', '{"LOG_LEVEL":"info" hunter2', /a JSON file \(line 1 column 21\)$/],
  ['an array', [1], /a JSON object/],
  ['an unknown name', { LOGLEVEL: 'debug' }, /there is no LOGLEVEL/],
  ['an inherited name', { constructor: 'x' }, /there is no constructor/],
  ['a variable that cannot change', { PORT: 9000 }, /no PORT: it cannot change while the service runs/],
  ['a secret', { DATABASE_URL: 'postgres://app:hunter2@db/app' }, /no DATABASE_URL: it cannot change/],
  ['an invalid value', { LOG_LEVEL: 'loud' }, /^LOG_LEVEL: got "loud", expected one of/],
  ['an object as a value', { HEALTH_FALL: { at: 3 } }, /a string, number or boolean for HEALTH_FALL/],
  ['an unknown check', { HEALTH_CRITICAL: 'payments' }, /names from HEALTH_CHECKS/],
])('%s is rejected, at the start and on reload, and the values stay', (_name, content, message) => {
  write({ HEALTH_FALL: 7 })
  const settings = createSettings({ SETTINGS_FILE: file })
  const before = settings.current()
  write(content)
  for (const action of [() => settings.reload(), () => createSettings({ SETTINGS_FILE: file })]) {
    const problems = findProblems(action)
    expect(problems).toEqual([expect.stringMatching(message)])
    expect(problems.join()).not.toContain('hunter2')
  }
  expect(settings.current()).toBe(before)
})

test('a missing file changes nothing, and all problems are reported together', () => {
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  expect(findProblems(() => settings.reload())).toEqual([expect.stringMatching(/can be read \(ENOENT\)/)])
  write({ LOG_LEVEL: 'loud', HEALTH_FALL: 0, PORT: 1 })
  expect(findProblems(() => settings.reload())).toHaveLength(3)
})

test('a reload does not read the environment or the files of secrets', () => {
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

test('the watch reports a mounted ConfigMap that was swapped before the watch began', () => {
  jest.useFakeTimers()
  for (const version of ['one', 'two']) {
    mkdirSync(join(directory, version))
    writeFileSync(join(directory, version, 'settings.json'), '{}')
  }
  symlinkSync('one', join(directory, '..data'))
  symlinkSync('..data/settings.json', file)
  const settings = createSettings({ SETTINGS_FILE: file })
  symlinkSync('two', join(directory, '..data_tmp'))
  renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  expect(countReports(settings)).toBeGreaterThan(0)
  settings.reload()
  expect(countReports(settings)).toBe(0)
})

test('the watch reports a version of the file once, even when a reload rejects it', () => {
  jest.useFakeTimers()
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  write('{ "LOG_LEVEL"')
  expect(countReports(settings)).toBeGreaterThan(0)
  expect(findProblems(() => settings.reload())).toHaveLength(1)
  expect(countReports(settings)).toBe(0)
})

test('the watch reports a version again after a read that failed because no file descriptor was free', () => {
  jest.useFakeTimers()
  write({})
  let code: string | undefined
  const settings = createSettings({ SETTINGS_FILE: file }, (path) => {
    if (code !== undefined) throw Object.assign(new Error(), { code })
    return readTextFile(path)
  })
  write({ LOG_LEVEL: 'debug' })
  code = 'EMFILE'
  expect(findProblems(() => settings.reload())).toHaveLength(1)
  expect(countReports(settings)).toBeGreaterThan(0)
  code = undefined
  expect(settings.reload()).toEqual(['LOG_LEVEL'])
  expect(countReports(settings)).toBe(0)
})

test('an empty value is used where the variable accepts it, and counts as unset elsewhere', () => {
  write({ HEALTH_CRITICAL: '', LOG_LEVEL: '' })
  const environment = { HEALTH_CHECKS: 'mail=tcp://mail:25', HEALTH_CRITICAL: 'mail', LOG_LEVEL: 'warn' }
  const settings = createSettings({ ...environment, SETTINGS_FILE: file })
  expect(settings.current()).toMatchObject({ HEALTH_CRITICAL: [], LOG_LEVEL: 'warn' })
})

test('a symbolic link that points to itself is reported as a problem, at the start and on reload', () => {
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  symlinkSync(file, file)
  const problem = [expect.stringMatching(/can be read \(ELOOP\)/)]
  expect(findProblems(() => settings.reload())).toEqual(problem)
  expect(findProblems(() => createSettings({ SETTINGS_FILE: file }))).toEqual(problem)
})

test('the watch reports a symbolic link that points to itself as a change', () => {
  jest.useFakeTimers()
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  symlinkSync(file, file)
  expect(countReports(settings)).toBeGreaterThan(0)
})
