import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createJob, type JobEvent, type JobLeases, type JobOptions, type Run } from './index.ts'

beforeEach(() => {
  jest.useFakeTimers()
})
afterEach(() => {
  jest.useRealTimers()
})

const advance = (ms: number) => jest.advanceTimersByTimeAsync(ms)

/** Leases in memory, as all instances of a test share them. */
function memoryLeases() {
  let run = 0
  let availableAt = 0
  let failure: Error | undefined
  const now = () => performance.now()
  const respond = async <T>(value: () => T): Promise<T> => {
    if (failure) throw failure
    return value()
  }
  const leases: JobLeases = {
    claim: (_job, leaseMs) =>
      respond(() => {
        if (availableAt > now()) return { availableInMs: availableAt - now() }
        availableAt = now() + leaseMs
        return { run: ++run }
      }),
    renew: (_job, renewed, leaseMs) =>
      respond(() => {
        if (renewed !== run) return false
        availableAt = now() + leaseMs
        return true
      }),
    release: (_job, released, afterMs) =>
      respond(() => {
        if (released === run) availableAt = now() + afterMs
      }),
  }
  return {
    ...leases,
    fail(error?: Error) {
      failure = error
    },
  }
}

/** A job whose runs the test settles by hand. */
function startInstance(leases: JobLeases, options: Partial<JobOptions> = {}) {
  const runs: (Run & { resolve: () => void; reject: (error: Error) => void })[] = []
  const events: JobEvent[] = []
  const part = createJob({
    name: 'report',
    intervalMs: 60_000,
    timeoutMs: 20_000,
    leaseMs: 9_000,
    work: (run) => new Promise<void>((resolve, reject) => runs.push({ ...run, resolve, reject })),
    leases,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
  })
  part.start()
  const results = () => events.flatMap((event) => (event.type === 'run ended' ? event.result : []))
  return { part, runs, events, results }
}

describe('the schedule', () => {
  test('a run starts one interval after the start of the previous run', async () => {
    const { runs, events } = startInstance(memoryLeases())
    await advance(0)
    expect(runs).toHaveLength(1)
    await advance(10_000)
    runs[0]?.resolve()
    await advance(49_999)
    expect(runs).toHaveLength(1)
    await advance(1)
    expect(runs.map(({ run }) => run)).toEqual([1, 2])
    expect(events[1]).toEqual({ type: 'run ended', job: 'report', result: 'ok', durationMs: 10_000 })
  })

  test('a run that takes longer than the interval delays the next run', async () => {
    const { runs } = startInstance(memoryLeases(), { timeoutMs: 600_000 })
    await advance(150_000)
    expect(runs).toHaveLength(1)
    runs[0]?.resolve()
    await advance(0)
    expect(runs).toHaveLength(2)
  })

  test('the jitter delays each attempt', async () => {
    const { runs } = startInstance(memoryLeases(), { random: () => 1, jitterMs: 500 })
    await advance(499)
    expect(runs).toHaveLength(0)
    await advance(1)
    expect(runs).toHaveLength(1)
  })

  test('an interval above the limit of setTimeout does not run the job at once', async () => {
    const { runs } = startInstance(memoryLeases(), { intervalMs: 40 * 86_400_000 })
    await advance(0)
    runs[0]?.resolve()
    await advance(40 * 86_400_000 - 1)
    expect(runs).toHaveLength(1)
    await advance(1)
    expect(runs).toHaveLength(2)
  })

  test('a failed run is reported, and the next run starts after the interval', async () => {
    const { runs, events } = startInstance(memoryLeases())
    await advance(0)
    const err = new Error('no report')
    runs[0]?.reject(err)
    await advance(0)
    expect(events.at(-1)).toMatchObject({ type: 'run ended', result: 'failed', err })
    await advance(60_000)
    expect(runs).toHaveLength(2)
  })
})

describe('several instances', () => {
  test('one instance runs the job, once per interval', async () => {
    const leases = memoryLeases()
    const instances = [startInstance(leases), startInstance(leases), startInstance(leases)]
    const count = () => instances.flatMap(({ runs }) => runs).length
    for (let expected = 1; expected <= 5; expected++) {
      await advance(30_000)
      expect(count()).toBe(expected)
      for (const each of instances.flatMap(({ runs }) => runs)) each.resolve()
      await advance(30_000 - 1)
      expect(count()).toBe(expected)
      await advance(1)
    }
  })

  test('a long run keeps its lease, and the lease of a killed instance ends after leaseMs', async () => {
    const leases = memoryLeases()
    let isKilled = false
    const killable: JobLeases = {
      ...leases,
      renew: (...args) => (isKilled ? new Promise(() => {}) : leases.renew(...args)),
    }
    const holder = startInstance(killable, { timeoutMs: 300_000 })
    await advance(0)
    const other = startInstance(leases)
    await advance(100_000)
    expect([holder.runs.length, other.runs.length]).toEqual([1, 0])
    isKilled = true
    await advance(9_000)
    await advance(9_000)
    expect(other.runs.map(({ run }) => run)).toEqual([2])
  })

  test('a run that cannot renew its lease aborts before another instance starts the job', async () => {
    const leases = memoryLeases()
    let isCut = false
    const cut: JobLeases = {
      ...leases,
      renew: (...args) => (isCut ? Promise.reject(new Error('cut')) : leases.renew(...args)),
    }
    const holder = startInstance(cut, { timeoutMs: 300_000 })
    await advance(4_000)
    const other = startInstance(leases)
    isCut = true
    let abortedAt: number | undefined
    holder.runs[0]?.signal.addEventListener('abort', () => {
      abortedAt = other.runs.length
    })
    await advance(30_000)
    expect(abortedAt).toBe(0)
    expect(other.runs).toHaveLength(1)
    expect(holder.events.at(-1)).toMatchObject({ result: 'lease lost', err: { message: 'cut' } })
  })

  test('a run whose lease another run has taken aborts at the next renewal', async () => {
    const leases = memoryLeases()
    const { runs, results } = startInstance({ ...leases, renew: async () => false })
    await advance(2_999)
    expect(runs[0]?.signal.aborted).toBe(false)
    await advance(1)
    expect(runs[0]?.signal.aborted).toBe(true)
    expect(results()).toEqual(['lease lost'])
  })
})

describe('the timeout', () => {
  test('aborts the run, and a run that ignores the signal keeps the lease and does not overlap', async () => {
    const leases = memoryLeases()
    const { runs, results } = startInstance(leases)
    await advance(20_000)
    expect(runs[0]?.signal.aborted).toBe(true)
    expect(results()).toEqual(['timeout'])
    const other = startInstance(leases)
    await advance(200_000)
    expect([runs.length, other.runs.length]).toEqual([1, 0])
    runs[0]?.resolve()
    await advance(9_000)
    expect(runs.length + other.runs.length).toBe(2)
    expect(results()).toEqual(['timeout'])
  })
})

describe('the store of the leases', () => {
  test('an outage is reported once, and the job continues afterwards', async () => {
    const leases = memoryLeases()
    leases.fail(new Error('down'))
    const { runs, events } = startInstance(leases)
    await advance(100_000)
    expect(events).toEqual([{ type: 'leases unavailable', job: 'report', err: new Error('down') }])
    leases.fail()
    await advance(9_000)
    expect(events.slice(1).map(({ type }) => type)).toEqual(['leases available', 'run started'])
    expect(runs).toHaveLength(1)
  })

  test('after an outage at the end of a run, no instance runs the job before the interval ends', async () => {
    const leases = memoryLeases()
    const { runs } = startInstance(leases)
    await advance(0)
    const other = startInstance(leases)
    leases.fail(new Error('down'))
    runs[0]?.resolve()
    await advance(1_000)
    leases.fail()
    await advance(58_999)
    expect([runs.length, other.runs.length]).toEqual([1, 0])
    await advance(1)
    expect(runs.length + other.runs.length).toBe(2)
  })

  test('a stop does not wait for the end of an outage', async () => {
    const leases = memoryLeases()
    const { part, runs } = startInstance(leases)
    await advance(0)
    leases.fail(new Error('down'))
    runs[0]?.resolve()
    await advance(0)
    part.drain()
    await part.stop(new AbortController().signal)
  })
})

describe('a stop', () => {
  const never = new AbortController().signal

  test('a drain starts no further run and lets the run in progress finish', async () => {
    const { part, runs, results } = startInstance(memoryLeases())
    await advance(0)
    part.drain()
    await advance(10_000)
    expect(runs[0]?.signal.aborted).toBe(false)
    const stopped = part.stop(never)
    runs[0]?.resolve()
    await stopped
    await advance(120_000)
    expect(runs).toHaveLength(1)
    expect(results()).toEqual(['ok'])
  })

  test('a drain between two runs ends the wait', async () => {
    const { part, runs } = startInstance(memoryLeases())
    await advance(0)
    runs[0]?.resolve()
    await advance(1_000)
    part.drain()
    await part.stop(never)
    await advance(120_000)
    expect(runs).toHaveLength(1)
  })

  test('a run that does not finish in time is aborted, and another instance runs the job at once', async () => {
    const leases = memoryLeases()
    const { part, runs, results } = startInstance(leases, { timeoutMs: 600_000 })
    await advance(0)
    const stopped = part.stop(never)
    await advance(4_999)
    expect(runs[0]?.signal.aborted).toBe(false)
    await advance(1)
    expect(runs[0]?.signal.aborted).toBe(true)
    runs[0]?.reject(new Error('aborted'))
    await stopped
    expect(results()).toEqual(['stopped'])
    const other = startInstance(leases)
    await advance(0)
    expect(other.runs).toHaveLength(1)
  })

  test('the deadline of the stop aborts the run', async () => {
    const { part, runs } = startInstance(memoryLeases())
    await advance(0)
    void part.stop(AbortSignal.abort())
    expect(runs[0]?.signal.aborted).toBe(true)
  })

  test('a claim that succeeds during the stop is released without a run', async () => {
    const leases = memoryLeases()
    const reply = Promise.withResolvers<void>()
    const { part, runs } = startInstance({
      ...leases,
      claim: (...args) => reply.promise.then(() => leases.claim(...args)),
    })
    await advance(0)
    const stopped = part.stop(never)
    reply.resolve()
    await stopped
    expect(runs).toHaveLength(0)
    const other = startInstance(leases)
    await advance(0)
    expect(other.runs).toHaveLength(1)
  })
})
