import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { ConfigError } from './load.ts'
import { createSettings, type Held, resumeSettings, type Settings } from './settings.ts'

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'settings-'))
  file = join(directory, 'settings.json')
})
afterEach(() => {
  jest.useRealTimers()
  rmSync(directory, { recursive: true })
})

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
  ['no JSON', '{"LOG_LEVEL": ', /a JSON file$/],
  ['a file of a secret', 'hunter2', /a JSON file$/],
  ['a file of a secret behind a value', '{"LOG_LEVEL":"info" hunter2', /a JSON file \(line 1 column 21\)$/],
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

test('an empty value is taken where it is one, and counts as unset elsewhere', () => {
  write({ HEALTH_CRITICAL: '', LOG_LEVEL: '' })
  const environment = { HEALTH_CHECKS: 'mail=tcp://mail:25', HEALTH_CRITICAL: 'mail', LOG_LEVEL: 'warn' }
  const settings = createSettings({ ...environment, SETTINGS_FILE: file })
  expect(settings.current()).toMatchObject({ HEALTH_CRITICAL: [], LOG_LEVEL: 'warn' })
})

test('a path that cannot be followed is a problem like any other, at the start and while it runs', () => {
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  symlinkSync(file, file)
  const problem = [expect.stringMatching(/can be read \(ELOOP\)/)]
  expect(problemsOf(() => settings.reload())).toEqual(problem)
  expect(problemsOf(() => createSettings({ SETTINGS_FILE: file }))).toEqual(problem)
})

test('a watched path that cannot be followed is told as a change', () => {
  jest.useFakeTimers()
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  rmSync(file)
  symlinkSync(file, file)
  const listener = jest.fn()
  const unwatch = settings.watch(listener)
  jest.advanceTimersByTime(1_000)
  unwatch()
  expect(listener).toHaveBeenCalledTimes(1)
})

/** The values that were held, as they come out of a channel between processes. */
const handedOver = (settings: Settings) => structuredClone(settings.held())

test('what was held goes on elsewhere, whatever the files say by then', () => {
  const secret = join(directory, 'secret')
  const ENV_FILE = join(directory, 'env')
  writeFileSync(secret, 'redis://one')
  writeFileSync(ENV_FILE, 'PORT=1')
  write({ HEALTH_FALL: 7 })
  const settings = createSettings({ SETTINGS_FILE: file, REDIS_URL_FILE: secret, ENV_FILE })
  write('{')
  expect(problemsOf(() => settings.reload())).toHaveLength(1)
  for (const gone of [secret, ENV_FILE]) rmSync(gone)
  const resumed = resumeSettings(handedOver(settings))
  expect(resumed.current()).toEqual(settings.current())
  write({ HEALTH_FALL: 8 })
  expect(resumed.reload()).toEqual(['HEALTH_FALL'])
})

test('a change that the other process has not read is seen by the one that goes on, one that it refused is not', () => {
  jest.useFakeTimers()
  write({})
  const settings = createSettings({ SETTINGS_FILE: file })
  const changes = (from: Held) => {
    const listener = jest.fn()
    const unwatch = resumeSettings(from).watch(listener)
    jest.advanceTimersByTime(5_000)
    unwatch()
    return listener.mock.calls.length
  }
  write('{ "LOG_LEVEL"')
  const before = handedOver(settings)
  expect(problemsOf(() => settings.reload())).toHaveLength(1)
  expect(changes(before)).toBeGreaterThan(0)
  expect(changes(handedOver(settings))).toBe(0)
})

test('a version that goes on and does not accept what was held says why', () => {
  const held = createSettings({}).held()
  expect(problemsOf(() => resumeSettings({ ...held, settings: { LOG_LEVEL: 'loud' } }))).toEqual([
    expect.stringContaining('LOG_LEVEL: got "loud"'),
  ])
})
