import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  applyOverride,
  type Content,
  findBase,
  type Override,
  readContent,
  replaceFile,
  revertOverride,
} from './settings.ts'

const DEFAULTS = { UPSTREAM_OPEN: [], FEATURES: ['docs'] }

/** Makes a change of the responder. Returns the values with it, and the change. */
function make(content: Content, setting: Override['setting'], value: string, active: readonly Override[] = []) {
  const base = findBase(content, { setting, value }, active)
  const override: Override = { id: `${setting} ${active.length}`, setting, value, until: 0, base }
  return { override, content: applyOverride(content, override, DEFAULTS) }
}

const CASES: readonly [Content, Override['setting'], string, unknown][] = [
  [{}, 'UPSTREAM_OPEN', 'payments', 'payments'],
  [{ UPSTREAM_OPEN: '' }, 'UPSTREAM_OPEN', 'payments', 'payments'],
  [{ UPSTREAM_OPEN: 'orders' }, 'UPSTREAM_OPEN', 'payments', 'orders,payments'],
  [{ UPSTREAM_OPEN: 'payments' }, 'UPSTREAM_OPEN', 'payments', 'payments'],
  [{}, 'FEATURES', 'docs', 'none'],
  [{ FEATURES: 'version,docs' }, 'FEATURES', 'version', 'docs'],
  [{ FEATURES: 'none' }, 'FEATURES', 'docs', 'none'],
  [{}, 'RATE_LIMIT', '60', 60],
  [{ RATE_LIMIT: '600' }, 'RATE_LIMIT', '60', 60],
]

describe('a temporary change', () => {
  test.each(CASES)('of %j: %s with %s is %j', (before, setting, value, expected) => {
    const content = { LOG_LEVEL: 'debug', ...before }
    const { override, content: changed } = make(content, setting, value)
    expect(changed).toEqual({ ...content, [setting]: expected })
    const reverted = revertOverride(changed, override, [], DEFAULTS)
    // The order of features has no meaning.
    const sort = ({ FEATURES, ...rest }: Content) => ({ ...rest, FEATURES: String(FEATURES).split(',').toSorted() })
    expect(sort(reverted)).toEqual(sort(content))
  })

  test('the end of a change keeps what an operator has written in the meantime', () => {
    const breaker = make({}, 'UPSTREAM_OPEN', 'payments')
    const edited = { UPSTREAM_OPEN: 'payments, orders', RATE_LIMIT: 5 }
    expect(revertOverride(edited, breaker.override, [], DEFAULTS)).toEqual({ UPSTREAM_OPEN: 'orders', RATE_LIMIT: 5 })
    expect(revertOverride({}, breaker.override, [], DEFAULTS)).toEqual({})
    const limit = make({}, 'RATE_LIMIT', '60')
    expect(revertOverride({ RATE_LIMIT: 7 }, limit.override, [], DEFAULTS)).toEqual({ RATE_LIMIT: 7 })
  })

  test('of two changes of the same value the last one restores the first value', () => {
    const first = make({}, 'UPSTREAM_OPEN', 'payments')
    const second = make(first.content, 'UPSTREAM_OPEN', 'payments', [first.override])
    const still = revertOverride(second.content, first.override, [second.override], DEFAULTS)
    expect(still).toEqual({ UPSTREAM_OPEN: 'payments' })
    expect(revertOverride(still, second.override, [], DEFAULTS)).toEqual({})
  })

  test('of two limits the newer one stays, and its end restores the first value', () => {
    const first = make({ RATE_LIMIT: 600 }, 'RATE_LIMIT', '60')
    const second = make(first.content, 'RATE_LIMIT', '10', [first.override])
    const still = revertOverride(second.content, first.override, [second.override], DEFAULTS)
    expect(still).toEqual({ RATE_LIMIT: 10 })
    expect(revertOverride(still, second.override, [], DEFAULTS)).toEqual({ RATE_LIMIT: 600 })
  })

  test('two upstreams are closed independently', () => {
    const first = make({}, 'UPSTREAM_OPEN', 'payments')
    const second = make(first.content, 'UPSTREAM_OPEN', 'orders', [first.override])
    const one = revertOverride(second.content, first.override, [second.override], DEFAULTS)
    expect(one).toEqual({ UPSTREAM_OPEN: 'orders' })
    expect(revertOverride(one, second.override, [], DEFAULTS).UPSTREAM_OPEN).toBe('')
  })
})

describe('the file', () => {
  let directory: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'settings-'))
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test('is replaced behind a symbolic link, and keeps its mode', async () => {
    const [file, link] = [join(directory, 'real.json'), join(directory, 'link.json')]
    writeFileSync(file, '{}')
    chmodSync(file, 0o664)
    symlinkSync(file, link)
    const { ino } = statSync(file)
    await replaceFile(link, '{"a":1}')
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readFileSync(file, 'utf8')).toBe('{"a":1}')
    expect(statSync(file).mode & 0o777).toBe(0o664)
    expect(statSync(file).ino).not.toBe(ino)
    expect(readdirSync(directory).toSorted()).toEqual(['link.json', 'real.json'])
  })

  test('a new file is readable for its owner only, and a failure leaves no file behind', async () => {
    await replaceFile(join(directory, 'state.json'), '{}')
    expect(statSync(join(directory, 'state.json')).mode & 0o777).toBe(0o600)
    await expect(replaceFile(directory, '{}')).rejects.toThrow()
    expect(readdirSync(directory)).toEqual(['state.json'])
  })

  test.each(['{', '[]', 'null', '"hunter2'])('with %s is not changed, and the error does not show it', async (text) => {
    const file = join(directory, 'settings.json')
    writeFileSync(file, text)
    await expect(readContent(file)).rejects.toThrow(/^SETTINGS_FILE is not a JSON (file|object)$/)
  })
})

test.each([[['a']], [null], [{}]])('a value %j in the file is no base of a change', (value) => {
  expect(() => findBase({ FEATURES: value }, { setting: 'FEATURES', value: 'docs' }, [])).toThrow('neither a text')
})
