import { beforeEach, expect, test } from '@jest/globals'
import { type CacheClient, createCache } from './cache.ts'
import type { Stored } from './stored.ts'

const value: Stored = { id: '1', version: 3, createdAt: '', updatedAt: '' }
const never = () => new Promise<never>(() => {})

let clock: number
let commands: unknown[][]
let answer: (command: string) => Promise<string | null>
const client: CacheClient = {
  get: (key) => {
    commands.push(['get', key])
    return answer('get')
  },
  eval: (_script, options) => {
    commands.push(['eval', ...options.keys, ...options.arguments])
    return answer('eval')
  },
}
beforeEach(() => {
  clock = 0
  commands = []
  answer = () => Promise.resolve(null)
})

const open = (redis: (() => CacheClient) | undefined = () => client) =>
  createCache<Stored>({ redis, prefix: 'things:', timeoutMs: 5, coolDownMs: 1_000, now: () => clock })
const load = () => Promise.resolve(value)
const unwanted = () => Promise.reject(new Error('loaded'))

test('what is not cached is loaded and put there with its version', async () => {
  expect(await open().through('1', load)).toEqual(value)
  expect(commands).toEqual([
    ['get', 'things:1'],
    ['eval', 'things:1', '3', JSON.stringify(value), '60000'],
  ])
})

test('what is cached is not loaded, nor is what is known to be removed', async () => {
  answer = () => Promise.resolve(`3 ${JSON.stringify(value)}`)
  expect(await open().through('1', unwanted)).toEqual(value)
  answer = () => Promise.resolve('9007199254740991 null')
  expect(await open().through('1', unwanted)).toBeUndefined()
})

test('what is not there at all is not cached', async () => {
  expect(await open().through('1', () => Promise.resolve(undefined))).toBeUndefined()
  expect(commands).toEqual([['get', 'things:1']])
})

test('a Redis that fails at once is asked each time and never in the way', async () => {
  answer = () => Promise.reject(new Error('gone'))
  const cache = open()
  expect(await cache.through('1', load)).toEqual(value)
  await cache.put(value)
  await cache.remove('1')
  expect(commands.map(([name]) => name)).toEqual(['get', 'eval', 'eval', 'eval'])
})

test('a client that throws is a Redis that fails', async () => {
  const broken = open(() => {
    throw new Error('closed')
  })
  expect(await broken.through('1', load)).toEqual(value)
})

test.each(['', 'garbage', '3', '3 {"id"'])('%j in the place of what is cached is nothing', async (held) => {
  answer = () => Promise.resolve(held)
  expect(await open().through('1', load)).toEqual(value)
})

test('a Redis that does not answer is waited for once and then left alone for a while', async () => {
  answer = never
  const cache = open()
  expect(await cache.through('1', load)).toEqual(value)
  clock = 999
  expect(await cache.through('1', load)).toEqual(value)
  await cache.put(value)
  expect(commands).toHaveLength(1)
  clock = 1_000
  answer = () => Promise.resolve(`3 ${JSON.stringify(value)}`)
  expect(await cache.through('1', unwanted)).toEqual(value)
})

test('what the source throws is thrown', async () => {
  await expect(open().through('1', unwanted)).rejects.toThrow('loaded')
})

test('without Redis there is no cache', async () => {
  const cache = createCache<Stored>({ redis: undefined, prefix: '' })
  expect(await cache.through('1', load)).toEqual(value)
  await cache.put(value)
})
