/** A system of instances behind a proxy, with one database. Times are milliseconds. */
export interface System {
  readonly instances: number
  /** Connections of each instance to the database. */
  readonly poolMax: number
  /** Processor time of a request in its instance. The event loop executes one request at a time. */
  readonly cpuMs: number
  /** Time that a request holds a connection apart from the processor time of the database: locks, disks, network. */
  readonly holdMs: number | (() => number)
  /** Processor time of a request in the database. */
  readonly databaseCpuMs: number
  readonly databaseCores: number
  /** A request that waits longer for a connection fails. @default 250, as DATABASE_QUEUE_TIMEOUT_MS */
  readonly queueTimeoutMs?: number
}

export interface Load {
  readonly ratePerSecond: number
  readonly durationMs: number
  /** Requests of this time at the start are not counted. @default a fifth of durationMs */
  readonly warmUpMs?: number
  /** Random arrivals are a Poisson process. @default even */
  readonly arrivals?: 'even' | 'random'
  /** @default a generator with a fixed seed */
  readonly random?: () => number
}

export interface Simulation {
  /** Latencies of the requests that did not fail, in the order of their ends. */
  readonly latenciesMs: readonly number[]
  readonly failed: number
}

/**
 * Simulates the queues of a system as discrete events. The proxy gives each instance the next request in turn. A request
 * waits for the event loop of its instance, then for a connection of its instance, then for a core of the database.
 * Every queue is first in, first out.
 */
export function simulate(system: System, load: Load): Simulation {
  const { instances, poolMax, cpuMs, holdMs, databaseCpuMs, databaseCores, queueTimeoutMs = 250 } = system
  const { ratePerSecond, durationMs, warmUpMs = durationMs / 5, arrivals = 'even', random = createRandom() } = load
  const { at, now, run } = createEvents()
  const holdTime = typeof holdMs === 'number' ? () => holdMs : holdMs
  const database = createStation(databaseCores, now)
  const all = Array.from({ length: instances }, () => ({
    loop: createStation(1, now),
    pool: createStation(poolMax, now, queueTimeoutMs),
  }))
  const latenciesMs: number[] = []
  let failed = 0

  function request(index: number): void {
    const instance = all[index % instances]
    if (!instance) throw new RangeError('a system has at least one instance')
    const { loop, pool } = instance
    const startedAt = now()
    const isCounted = startedAt >= warmUpMs
    loop.enter((leaveLoop) =>
      at(cpuMs, () => {
        leaveLoop()
        pool.enter(
          (leavePool) =>
            at(holdTime(), () =>
              database.enter((leaveDatabase) =>
                at(databaseCpuMs, () => {
                  leaveDatabase()
                  leavePool()
                  if (isCounted) latenciesMs.push(now() - startedAt)
                }),
              ),
            ),
          () => {
            if (isCounted) failed++
          },
        )
      }),
    )
  }

  function arrive(index: number): void {
    if (now() >= durationMs) return
    request(index)
    const gapMs = 1_000 / ratePerSecond
    at(arrivals === 'even' ? gapMs : -Math.log(1 - random()) * gapMs, () => arrive(index + 1))
  }
  at(0, () => arrive(0))
  run()
  return { latenciesMs, failed }
}

/** A queue with a number of servers. `enter` calls `start` when a server is free, or `refuse` after the patience. */
function createStation(servers: number, now: () => number, patienceMs = Number.POSITIVE_INFINITY) {
  const waiting: { readonly since: number; start(): void; refuse(): void }[] = []
  let free = servers

  function leave(): void {
    free++
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      if (now() - next.since <= patienceMs) {
        next.start()
        return
      }
      next.refuse()
    }
  }

  return {
    enter(start: (leave: () => void) => void, refuse: () => void = () => undefined): void {
      const take = () => {
        free--
        start(leave)
      }
      if (free > 0) take()
      else waiting.push({ since: now(), start: take, refuse })
    },
  }
}

/** A clock with a sorted list of future events. Events of the same time run in the order of their creation. */
function createEvents() {
  // The next event is the last in the list. The list is short: it has one event for each busy server.
  const events: { readonly time: number; run(): void }[] = []
  let time = 0

  return {
    now: () => time,
    at(delayMs: number, run: () => void): void {
      const event = { time: time + delayMs, run }
      const next = events.findLastIndex((each) => each.time > event.time)
      events.splice(next + 1, 0, event)
    },
    run(): void {
      for (let event = events.pop(); event; event = events.pop()) {
        time = event.time
        event.run()
      }
    },
  }
}

/** Returns uniform numbers from 0 to below 1 (mulberry32), the same sequence for each seed. */
export function createRandom(seed = 1): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let bits = Math.imul(state ^ (state >>> 15), 1 | state)
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
  }
}
