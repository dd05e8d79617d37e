import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import { createClient } from '@redis/client'
import { createCache, createIdempotency, type Stored } from '../pkg/resource/index.ts'
import { type TestService, testRedis, until } from './support/services.ts'

/*
 * What the modules of pkg/resource leave to Redis, on a real one.
 */

let redis: TestService
let client: ReturnType<typeof createClient>

beforeAll(async () => {
  redis = await testRedis()
  client = createClient({ url: redis.url })
  await client.connect()
})
afterAll(async () => {
  client.destroy()
  await redis.stop()
})
beforeEach(async () => {
  await client.flushAll()
})

describe('the cache', () => {
  const cache = () => createCache<Stored>({ redis: () => client, prefix: 'x:', timeoutMs: 5_000 })
  const version = (version: number): Stored => ({ id: '1', version, createdAt: '', updatedAt: '' })
  const absent = async () => undefined

  test('a reader that was slow does not put an old value back, nor what was removed', async () => {
    const reader = cache()
    const writer = cache()
    const loaded = await reader.through('1', async () => {
      await writer.put(version(2))
      return version(1)
    })
    expect(loaded).toEqual(version(1))
    expect(await reader.through('1', absent)).toEqual(version(2))

    await reader.through('2', async () => {
      await writer.remove('2')
      return { ...version(1), id: '2' }
    })
    expect(await reader.through('2', () => Promise.reject(new Error('loaded')))).toBeUndefined()
  })

  test('of two writers the one with the newer version wins, whoever is last', async () => {
    await cache().put(version(10))
    await cache().put(version(9))
    expect(await cache().through('1', absent)).toEqual(version(10))
    await cache().put(version(11))
    expect(await cache().through('1', absent)).toEqual(version(11))
  })

  test('nothing is kept for longer than a minute', async () => {
    await cache().put(version(1))
    await cache().remove('2')
    for (const key of ['x:1', 'x:2']) {
      const ttl = await client.pTTL(key)
      expect(ttl).toBeGreaterThan(50_000)
      expect(ttl).toBeLessThanOrEqual(60_000)
    }
  })
})

describe('idempotency', () => {
  const request = { scope: 'POST /things', key: 'k', body: {} }
  const answer = (id: number) => ({ status: 201, headers: {}, body: { id } })
  const open = (lockMs = 5_000) => createIdempotency({ redis: () => client, prefix: 'x:', lockMs, timeoutMs: 5_000 })
  const unwanted = () => Promise.reject(new Error('has run'))

  test('an answer is kept for a day', async () => {
    await open().once(request, async () => answer(1))
    expect(await open().once(request, unwanted)).toEqual(answer(1))
    const ttl = await client.pTTL('x:POST /things k')
    expect(ttl).toBeGreaterThan(86_000_000)
    expect(ttl).toBeLessThanOrEqual(86_400_000)
  })

  test('a request that fails leaves nothing behind', async () => {
    await expect(open().once(request, unwanted)).rejects.toThrow('has run')
    expect(await client.keys('*')).toEqual([])
  })

  test('the lock of a process that has died runs out, and one that was only slow does not touch the next one', async () => {
    const slow = Promise.withResolvers<ReturnType<typeof answer>>()
    const first = open(50).once(request, () => slow.promise)
    await until(async () => (await client.exists('x:POST /things k')) === 1)
    await until(async () => (await client.exists('x:POST /things k')) === 0)
    const next = Promise.withResolvers<ReturnType<typeof answer>>()
    const second = open().once(request, () => next.promise)
    await until(async () => (await client.exists('x:POST /things k')) === 1)
    slow.resolve(answer(1))
    expect(await first).toEqual(answer(1))
    await expect(open().once(request, unwanted)).rejects.toMatchObject({ code: 'idempotency_conflict' })
    next.resolve(answer(2))
    await second
    expect(await open().once(request, unwanted)).toEqual(answer(2))
  })

  test('a key that was taken by a command that came through late is free again', async () => {
    redis.hang()
    const hasty = createIdempotency({ redis: () => client, prefix: 'x:', timeoutMs: 20 })
    await expect(hasty.once(request, unwanted)).rejects.toMatchObject({ code: 'idempotency_unavailable' })
    redis.resume()
    expect(await open().once(request, async () => answer(3))).toEqual(answer(3))
  })
})
