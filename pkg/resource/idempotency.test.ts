import { beforeEach, expect, test } from '@jest/globals'
import { CodedError } from '../problem/index.ts'
import { createIdempotency, type IdempotencyKeys, type StoredKey } from './idempotency.ts'

/** A transaction sees its own entry. Other transactions see the entry after the commit. */
type Transaction = Map<string, StoredKey>

const committed: Transaction = new Map()
const held = new Set<string>()
const removals: unknown[] = []
const keys: IdempotencyKeys<Transaction> = {
  async transaction(work) {
    const transaction: Transaction = new Map()
    try {
      const result = await work(transaction)
      for (const [id, entry] of transaction) committed.set(id, entry)
      return result
    } finally {
      for (const id of transaction.keys()) held.delete(id)
    }
  },
  async claim(transaction, id, fingerprint) {
    if (held.has(id)) throw new CodedError('idempotency_conflict')
    if (!committed.has(id)) {
      held.add(id)
      transaction.set(id, { fingerprint, response: '' })
    }
    return committed.get(id)
  },
  async complete(transaction, id, response) {
    transaction.set(id, { ...transaction.get(id)!, response })
  },
  async removeExpired(expired) {
    removals.push(expired)
    return 0
  },
}
beforeEach(() => {
  committed.clear()
  held.clear()
  removals.length = 0
})

const database: Transaction = new Map()
/** The service is the executor of its queries. */
const idempotency = createIdempotency({ keys, db: database })((executor) => executor)
const request = { scope: 'POST /things', key: 'k', body: { a: 1 } }
const response = { status: 201, headers: { etag: '"1"' }, body: { id: 7, snake_case: [null, '\0', '\ud83d'] } }
const unwanted = () => Promise.reject(new Error('has run'))
const failure = (code: string) => expect.objectContaining({ code })

test('the first request runs, and a retry gets its response', async () => {
  expect(await idempotency.once(request, async () => response)).toEqual(response)
  expect(await idempotency.once(request, unwanted)).toEqual(response)
})

test('the service is bound to a transaction for a request with a key, and to the database for other requests', async () => {
  const services: Transaction[] = []
  const record = async (service: Transaction) => {
    services.push(service)
    return response
  }
  await idempotency.once(request, record)
  await idempotency.once({ ...request, key: undefined }, record)
  await idempotency.once({ ...request, key: undefined }, record)
  expect(services).toHaveLength(3)
  expect(services[0]).not.toBe(database)
  expect(services[1]).toBe(database)
  expect(services[2]).toBe(database)
  expect(committed.size).toBe(1)
})

test('a second request is a conflict while the first request is in progress', async () => {
  const { promise, resolve } = Promise.withResolvers<typeof response>()
  const first = idempotency.once(request, () => promise)
  await expect(idempotency.once(request, unwanted)).rejects.toEqual(failure('idempotency_conflict'))
  resolve(response)
  expect(await first).toEqual(response)
  expect(await idempotency.once(request, unwanted)).toEqual(response)
})

test('a key belongs to one body and to one scope', async () => {
  await idempotency.once(request, async () => response)
  const otherBody = idempotency.once({ ...request, body: { a: 2 } }, unwanted)
  await expect(otherBody).rejects.toEqual(failure('idempotency_key_reused'))
  const other = { ...response, body: { id: 8 } }
  expect(await idempotency.once({ ...request, scope: 'POST /others' }, async () => other)).toEqual(other)
})

test('a retry may have the fields of its body in another order, but not the items of a list', async () => {
  const body = { a: [1, { b: 2, c: 3 }], d: 4 }
  await idempotency.once({ ...request, body }, async () => response)
  expect(await idempotency.once({ ...request, body: { d: 4, a: [1, { c: 3, b: 2 }] } }, unwanted)).toEqual(response)
  const reversed = idempotency.once({ ...request, body: { ...body, a: body.a.toReversed() } }, unwanted)
  await expect(reversed).rejects.toEqual(failure('idempotency_key_reused'))
})

test('scope and key are separated unambiguously in an id', async () => {
  await idempotency.once({ ...request, scope: 'POST /things a', key: 'b' }, async () => response)
  const other = { ...response, body: { id: 8 } }
  expect(await idempotency.once({ ...request, scope: 'POST /things', key: 'a b' }, async () => other)).toEqual(other)
})

test('ids and fingerprints have a fixed length, for any subject and any body', async () => {
  for (const length of [0, 1, 100_000]) {
    const long = 'x'.repeat(length)
    await idempotency.once({ scope: long, key: 'k', body: long }, async () => response)
  }
  const lengths = [...committed].map(([id, { fingerprint }]) => [id.length, fingerprint.length])
  expect(lengths).toEqual([
    [43, 43],
    [43, 43],
    [43, 43],
  ])
})

test('a request that fails stores no response', async () => {
  await expect(idempotency.once(request, unwanted)).rejects.toThrow('has run')
  expect(committed.size).toBe(0)
  expect(await idempotency.once(request, async () => response)).toEqual(response)
})

test('a response that is too long fails the request before the commit', async () => {
  const bounded = createIdempotency({ keys, db: database, maxBytes: 100 })((executor) => executor)
  const long = { ...response, body: 'é'.repeat(50) }
  await expect(bounded.once(request, async () => long)).rejects.toThrow('exceeds the 100 bytes')
  expect(committed.size).toBe(0)
})

test('a request starts the deletion of expired keys after the pause, and does not wait for it', async () => {
  let now = 0
  const slow = { ...keys, removeExpired: (expired: object) => new Promise<number>(() => void removals.push(expired)) }
  const swept = createIdempotency({
    keys: slow,
    db: database,
    sweepMs: 1_000,
    sweepLimit: 5,
    keepMs: 9,
    now: () => now,
  })((executor) => executor)
  await swept.once(request, async () => response)
  expect(removals).toEqual([])
  now = 1_500
  await swept.once({ ...request, key: undefined }, async () => response)
  expect(removals).toEqual([])
  await swept.once(request, unwanted)
  await swept.once(request, unwanted)
  expect(removals).toEqual([{ keepMs: 9, limit: 5 }])
})
