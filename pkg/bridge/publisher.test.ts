import { expect, test } from '@jest/globals'
import type { Endpoint } from './endpoints.ts'
import { createPublisher, type Sink } from './publisher.ts'

const list = (...numbers: number[]) => numbers.map((n): Endpoint => ({ host: `10.0.0.${n}`, port: 80, weight: 1 }))

/** A sink whose publications wait until the test lets them end. */
function createManualSink(options: Pick<Sink, 'pauseMs' | 'refreshMs'> = {}, retryMs = 1) {
  const calls: { endpoints: readonly Endpoint[]; end(error?: Error): void }[] = []
  let called = Promise.withResolvers<void>()
  const events: string[] = []
  const publisher = createPublisher({
    sink: {
      ...options,
      publish(endpoints) {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        calls.push({ endpoints, end: (error) => (error ? reject(error) : resolve()) })
        called.resolve()
        called = Promise.withResolvers()
        return promise
      },
    },
    retryMs,
    onFailure: ({ message }) => events.push(message),
    onRecovery: () => events.push('recovered'),
  })
  return {
    publisher,
    calls,
    events,
    /** Resolves with the call number `n`, from 1. */
    async call(n: number) {
      while (calls.length < n) await called.promise
      return calls[n - 1]!
    },
  }
}

test('lists that arrive during a publication are skipped, except for the last', async () => {
  const { publisher, calls, call } = createManualSink()
  publisher.set(list(1))
  const first = await call(1)
  publisher.set(list(2))
  publisher.set(list(3))
  first.end()
  const second = await call(2)
  expect(second.endpoints).toEqual(list(3))
  second.end()
  await publisher.stop()
  expect(calls).toHaveLength(2)
})

test('a failed publication is repeated with the latest list, and reported once', async () => {
  const { publisher, events, call } = createManualSink()
  publisher.set(list(1))
  const first = await call(1)
  first.end(new Error('down'))
  const second = await call(2)
  publisher.set(list(2))
  second.end(new Error('down'))
  const third = await call(3)
  expect(third.endpoints).toEqual(list(2))
  third.end(new Error('full'))
  const fourth = await call(4)
  fourth.end()
  publisher.set(list(5))
  const fifth = await call(5)
  expect(events).toEqual(['down', 'full', 'recovered'])
  fifth.end()
  await publisher.stop()
})

test('a sink that may lose its list gets the same list again', async () => {
  const { publisher, call } = createManualSink({ refreshMs: 1 })
  publisher.set(list(1))
  for (const n of [1, 2, 3]) {
    const { endpoints, end } = await call(n)
    expect(endpoints).toEqual(list(1))
    end()
  }
  const stopped = publisher.stop()
  const last = await Promise.race([call(4), stopped])
  last?.end()
  await stopped
})

test('a sink that may lose its list gets the list at its next refresh after a failure', async () => {
  const { publisher, call } = createManualSink({ refreshMs: 1 }, 3_600_000)
  publisher.set(list(1))
  const first = await call(1)
  first.end(new Error('down'))
  const second = await call(2)
  second.end(new Error('down'))
  await publisher.stop()
})

test('the next list waits for the pause of the sink', async () => {
  const paused = createManualSink({ pauseMs: 3_600_000 })
  const unpaused = createManualSink({ pauseMs: 1 })
  for (const { publisher, call } of [paused, unpaused]) {
    publisher.set(list(1))
    const { end } = await call(1)
    end()
    publisher.set(list(2))
  }
  const { end } = await unpaused.call(2)
  end()
  expect(paused.calls).toHaveLength(1)
  await Promise.all([paused.publisher.stop(), unpaused.publisher.stop()])
})

test('a stop waits for the publication in progress', async () => {
  const { publisher, call } = createManualSink({ pauseMs: 3_600_000 })
  publisher.set(list(1))
  const { end } = await call(1)
  let isStopped = false
  const stopped = publisher.stop().then(() => {
    isStopped = true
  })
  await new Promise(setImmediate)
  expect(isStopped).toBe(false)
  end()
  await stopped
})

test('a stop does not wait for a list', async () => {
  await createManualSink().publisher.stop()
})
