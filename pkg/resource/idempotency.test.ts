import { beforeEach, expect, test } from '@jest/globals'
import { createIdempotency, type IdempotencyClient } from './idempotency.ts'

/** As Redis does it; that its scripts do what is meant is for test/resource.test.ts, on a real one. */
const held = new Map<string, string>()
const client: IdempotencyClient = {
  get: async (key) => held.get(key) ?? null,
  async set(key, value) {
    if (held.has(key)) return null
    held.set(key, value)
    return 'OK'
  },
  async eval(_script, { keys: [key = ''], arguments: [lock, value = ''] }) {
    if (held.get(key) !== lock) return 0
    return value === '' ? held.delete(key) : held.set(key, value)
  },
}
beforeEach(() => held.clear())

const idempotency = createIdempotency({ redis: () => client, prefix: 'x:', timeoutMs: 5 })
const request = { scope: 'POST /things', key: 'k', body: { a: 1 } }
const answer = { status: 201, headers: { etag: '"1"' }, body: { id: 7 } }
const unwanted = () => Promise.reject(new Error('has run'))

test('the first request runs, and the next ones get its answer', async () => {
  expect(await idempotency.once(request, async () => answer)).toEqual(answer)
  expect(await idempotency.once(request, unwanted)).toEqual(answer)
})

test('while the first one is under way the next one is told so', async () => {
  const { promise, resolve } = Promise.withResolvers<typeof answer>()
  const first = idempotency.once(request, () => promise)
  await expect(idempotency.once(request, unwanted)).rejects.toMatchObject({ code: 'idempotency_conflict' })
  await expect(idempotency.once({ ...request, body: {} }, unwanted)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  })
  resolve(answer)
  expect(await first).toEqual(answer)
})

test('a key belongs to one body, and to one scope', async () => {
  await idempotency.once(request, async () => answer)
  await expect(idempotency.once({ ...request, body: { a: 2 } }, unwanted)).rejects.toMatchObject({
    code: 'idempotency_key_reused',
  })
  const other = { ...answer, body: { id: 8 } }
  expect(await idempotency.once({ ...request, scope: 'POST /others' }, async () => other)).toEqual(other)
})

test('what fails is thrown and not kept', async () => {
  await expect(idempotency.once(request, unwanted)).rejects.toThrow('has run')
  expect(await idempotency.once(request, async () => answer)).toEqual(answer)
})

test.each<[string, (() => IdempotencyClient) | undefined]>([
  ['absent', undefined],
  ['gone', () => ({ ...client, set: () => Promise.reject(new Error('gone')) })],
  ['silent', () => ({ ...client, set: () => new Promise(() => {}) })],
])('with a Redis that is %s nothing runs for a key, and all else does', async (_name, redis) => {
  const without = createIdempotency({ redis, prefix: 'x:', timeoutMs: 5 })
  await expect(without.once(request, unwanted)).rejects.toMatchObject({ code: 'idempotency_unavailable' })
  expect(await without.once({ ...request, key: undefined }, async () => answer)).toEqual(answer)
})

test('where garbage is in the place of a key nobody can tell whether it was used', async () => {
  held.set('x:POST /things k', 'garbage')
  await expect(idempotency.once(request, unwanted)).rejects.toMatchObject({ code: 'idempotency_unavailable' })
})

test('an answer that cannot be kept is an answer', async () => {
  const forgetful = createIdempotency({
    redis: () => ({ ...client, eval: () => Promise.reject(new Error('gone')) }),
    prefix: 'x:',
  })
  expect(await forgetful.once(request, async () => answer)).toEqual(answer)
})
