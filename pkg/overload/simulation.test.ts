import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { afterEach, expect, jest, test } from '@jest/globals'
import { createAdmission } from './admission.ts'
import type { Priority } from './priority.ts'
import { createTurnClock } from './turn-clock.ts'

const SPAN_S = 5
/** CPU time of a handler, of reading a request and of a refusal, in milliseconds. */
const [HANDLER_MS, READ_MS, REFUSE_MS] = [3.15, 0.06, 0.06]
/** Requests a second that the service can serve. */
const KNEE = 1_000 / (HANDLER_MS + READ_MS)
/** A response within this time is good, in milliseconds. */
const GOOD_MS = 250
const CALLERS = 1_000

afterEach(() => {
  jest.restoreAllMocks()
})

/** Returns the same numbers from 0 to 1 in each run. */
function createRandom(): () => number {
  let state = 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/**
 * Runs the admission in an event loop whose time passes only while it works or sleeps. Sends `phases`: multiples of the
 * knee, and seconds. Returns the share of good responses to the requests of each second, relative to the knee.
 */
function simulate(phases: readonly (readonly [number, number])[]) {
  let [time, sleptMs] = [0, 0]
  let immediates: (() => void)[] = []
  let windowEnd = 1_000
  let endWindow = () => {}
  const timer = {
    unref: () => timer,
    refresh() {
      windowEnd = time + 1_000
    },
  }
  jest.spyOn(globalThis, 'setImmediate').mockImplementation((callback) => {
    immediates.push(callback)
    return { unref() {} } as NodeJS.Immediate
  })
  jest.spyOn(globalThis, 'setInterval').mockImplementation((callback) => {
    endWindow = callback
    return timer as unknown as NodeJS.Timeout
  })

  const random = createRandom()
  const good: number[] = []
  const sentAt = (request: IncomingMessage) => Number(request.headers['sent-at'])
  const { admit, queued } = createAdmission({
    handler(request) {
      time += HANDLER_MS
      const second = Math.floor(sentAt(request) / 1_000)
      if (time - sentAt(request) <= GOOD_MS) good[second] = (good[second] ?? 0) + 1
    },
    findPriority: (_method, url) => url.slice(1) as Priority,
    identify: ({ headers }) => String(headers['caller']),
    requestId: () => 'id',
    maxWaitMs: 20,
    clock: createTurnClock({ now: () => time, sleptMs: () => sleptMs }),
    random,
  })

  function createRequest(index: number, at: number): IncomingMessage {
    const request = new IncomingMessage(new Socket())
    const chance = random()
    const priority = chance < 0.2 ? 'core' : chance < 0.6 ? 'normal' : 'background'
    const headers = { caller: `10.0.0.${index % CALLERS}`, 'sent-at': String(at) }
    return Object.assign(request, { method: 'GET', url: `/${priority}`, headers })
  }

  const arrivals: number[] = []
  for (const [factor, seconds] of phases) {
    const from = arrivals.length === 0 ? 0 : Math.ceil(arrivals.at(-1)! / 1_000) * 1_000
    for (let at = from; at < from + seconds * 1_000; at += 1_000 / (factor * KNEE)) arrivals.push(at)
  }
  for (let next = 0; next < arrivals.length || queued() > 0; ) {
    if (time >= windowEnd) {
      timer.refresh()
      endWindow()
    }
    const hasOnlyClock = immediates.length <= 1
    const until = Math.min(arrivals[next] ?? time, windowEnd)
    if (hasOnlyClock && until > time) {
      sleptMs += until - time
      time = until
    }
    for (const readAt = time; next < arrivals.length && arrivals[next]! <= readAt; next++) {
      time += READ_MS
      const request = createRequest(next, arrivals[next]!)
      const refusal = {
        end() {
          time += REFUSE_MS
        },
      }
      admit(request, Object.assign(new ServerResponse(request), refusal))
    }
    const turn = immediates
    immediates = []
    for (const run of turn) run()
  }
  return good.map((count) => count / KNEE)
}

test('at three times the knee, the goodput of every 5 s is at least 80 % of the knee, and the recovery takes a second', () => {
  const goodputs = simulate([
    [0.5, 2],
    [3, 30],
    [0.5, 4],
  ])
  const overload = goodputs.slice(2, 32)
  const spans = overload
    .slice(SPAN_S - 1)
    .map((_, index) => overload.slice(index, index + SPAN_S).reduce((sum, each) => sum + each, 0) / SPAN_S)
  expect(Math.min(...spans)).toBeGreaterThan(0.8)
  const after = goodputs.slice(32)
  expect(after[0]).toBeGreaterThan(0.3)
  expect(Math.min(...after.slice(1))).toBeGreaterThan(0.49)
})
