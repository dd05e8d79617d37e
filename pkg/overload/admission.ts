import type { IncomingMessage, ServerResponse } from 'node:http'
import { admits, type Level, nextLevel, OPEN } from './level.ts'
import { findBucket, PRIORITIES, type Priority, RANKS, rankOf } from './priority.ts'
import { createQueue } from './queue.ts'
import { sendOverloaded } from './reject.ts'
import { createTurnClock, type TurnClock } from './turn-clock.ts'

export type Brownout = 'auto' | 'on' | 'off'

export interface AdmissionOptions {
  /** Serves the admitted requests. `arrivedAt` is a time of the clock. */
  readonly handler: (request: IncomingMessage, response: ServerResponse, arrivedAt: number) => void
  readonly findPriority: (method: string, url: string) => Priority
  /** Returns a text that identifies the caller, such as its address. Called only during overload. */
  readonly identify: (request: IncomingMessage) => string
  readonly requestId: (request: IncomingMessage) => string
  /** Average wait of the requests in a window above which the window is overloaded, in milliseconds. DAGOR uses 20. */
  readonly maxWaitMs: number
  /** With `on` and `off`, an operator instead of the load decides about background operations. @default auto */
  readonly brownout?: () => Brownout
  /** Called when background operations are switched off or on. */
  readonly onBrownout?: (event: BrownoutEvent) => void
  readonly clock?: TurnClock
  /** @default Math.random */
  readonly random?: () => number
}

export interface BrownoutEvent {
  readonly isOn: boolean
  /** Average wait in the last window, in milliseconds. */
  readonly averageWaitMs: number
}

/**
 * Reasons for a refusal: the rank is above the limit, background operations are off, or the request waited too long.
 */
export const REASONS = ['limit', 'brownout', 'wait'] as const
type Reason = (typeof REASONS)[number]

/** A window ends after this time or after this number of requests: https://doi.org/10.1145/3267809.3267823, §4.1. */
const WINDOW_MS = 1_000
const WINDOW_REQUESTS = 2_000
/**
 * A window with a limit also ends when the event loop has slept for this time. The load has changed, and refusals leave
 * the service idle.
 */
const WINDOW_SLEEP_MS = 200
/**
 * Time in which handlers start in one turn of the event loop. A short time lets the loop read and rank new requests
 * soon.
 */
const SLICE_MS = 5
/**
 * The service refuses requests that have waited for `GIVE_UP_FACTOR × maxWaitMs`, when the queue has not been empty for
 * that long.
 */
const GIVE_UP_FACTOR = 5
/** Callers get new ranks at this interval, as in DAGOR. */
const PERIOD_MS = 3_600_000

interface Entry {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly priority: Priority
  readonly arrivedAt: number
}

export type Admission = ReturnType<typeof createAdmission>

/**
 * Queues requests in front of a handler in the order of their priority, and refuses the lowest ranks while requests
 * wait too long. Without this queue, the requests of a busy process would wait in its sockets, where it sees neither
 * their priority nor their age.
 */
export function createAdmission(options: AdmissionOptions) {
  const { handler, findPriority, identify, requestId, maxWaitMs, brownout = () => 'auto', onBrownout } = options
  const { clock = createTurnClock(), random = Math.random } = options
  const giveUpMs = GIVE_UP_FACTOR * maxWaitMs
  const queue = createQueue<Entry>()
  const refused = new Map(PRIORITIES.map((name) => [name, { limit: 0, brownout: 0, wait: 0 }]))
  let automatic: Level = OPEN
  /** The automatic level, with the brownout of an operator. */
  let level: Level = OPEN

  // The current turn of the event loop.
  let turn = -1
  let sliceEnd = 0
  let isLeftOver = false
  let scheduled = 0
  /** The time since which no turn has emptied the queue. Undefined when the last turn has emptied it. */
  let standingSince: number | undefined

  // The current window.
  let startedAt = clock.now()
  let sleptBefore = clock.sleptMs()
  let [incoming, served, waits, waitMs] = [0, 0, 0, 0]
  let averageWaitMs = 0
  const ranks = new Uint32Array(RANKS)
  /** Requests are ranked from the first turn that cannot empty the queue until the limit ends. */
  let isRanking = false
  const timer = setInterval(endWindow, WINDOW_MS).unref()

  function admit(request: IncomingMessage, response: ServerResponse): void {
    const priority = findPriority(request.method ?? '', request.url ?? '')
    if (++incoming > WINDOW_REQUESTS || isLimitTooLow()) endWindow()
    const reason = isRanking || level.isBrownout ? findReason(request, priority) : undefined
    if (reason !== undefined) {
      refuse(request, response, priority, reason)
      return
    }
    queue.push(priority, { request, response, priority, arrivedAt: clock.arrivedAt() })
    schedule()
  }

  const isLimitTooLow = () => level.limit < Infinity && clock.sleptMs() - sleptBefore > WINDOW_SLEEP_MS

  function findReason(request: IncomingMessage, priority: Priority): Reason | undefined {
    const bucket = findBucket(identify(request), Math.floor(Date.now() / PERIOD_MS))
    const rank = rankOf(priority, bucket)
    ranks[rank] = (ranks[rank] ?? 0) + 1
    if (admits(level, priority, bucket, random())) return undefined
    return level.isBrownout && priority === 'background' ? 'brownout' : 'limit'
  }

  function refuse(request: IncomingMessage, response: ServerResponse, priority: Priority, reason: Reason): void {
    const counts = refused.get(priority)
    if (counts !== undefined) counts[reason]++
    // The jitter spreads the retries of callers that were refused together.
    const retryAfterS = reason === 'brownout' ? 5 + 10 * random() : 1 + 4 * random()
    sendOverloaded(request, response, requestId(request), Math.floor(retryAfterS))
  }

  /** Each request of the queue has an immediate, so that microtasks run between two handlers. */
  function schedule(): void {
    scheduled++
    setImmediate(runNext)
  }

  /** Runs one handler. */
  function runNext(): void {
    scheduled--
    const now = clock.now()
    if (clock.turn() !== turn) beginTurn(now)
    else if (now >= sliceEnd) {
      if (queue.size === 0) return
      isLeftOver = true
      // An immediate whose request has expired ends here.
      if (scheduled < queue.size) schedule()
      return
    }
    const entry = queue.shift()
    if (entry === undefined) return
    countWait(now, entry)
    if (entry.response.destroyed) return
    served++
    handler(entry.request, entry.response, entry.arrivedAt)
  }

  function beginTurn(now: number): void {
    turn = clock.turn()
    sliceEnd = now + SLICE_MS
    if (!isLeftOver) standingSince = undefined
    else {
      isRanking = true
      standingSince ??= now
      if (now - standingSince > giveUpMs) queue.expire((entry) => now - entry.arrivedAt > giveUpMs, giveUp)
    }
    isLeftOver = false
  }

  function giveUp(entry: Entry): void {
    countWait(clock.now(), entry)
    if (!entry.response.destroyed) refuse(entry.request, entry.response, entry.priority, 'wait')
  }

  function countWait(now: number, { arrivedAt }: Entry): void {
    waits++
    waitMs += now - arrivedAt
  }

  function endWindow(): void {
    timer.refresh()
    const now = clock.now()
    const elapsedMs = now - startedAt
    const sleptMs = clock.sleptMs()
    averageWaitMs = waits === 0 ? 0 : waitMs / waits
    const busy = 1 - (sleptMs - sleptBefore) / elapsedMs
    const window = { seconds: elapsedMs / 1e3, busy, averageWaitMs, incoming, served, ranks }
    automatic = nextLevel(automatic, window, maxWaitMs)
    const setting = brownout()
    const isOn = setting === 'auto' ? automatic.isBrownout : setting === 'on'
    if (isOn !== level.isBrownout) onBrownout?.({ isOn, averageWaitMs })
    level = { ...automatic, isBrownout: isOn }
    isRanking = level.limit !== Infinity
    startedAt = now
    sleptBefore = sleptMs
    incoming = served = waits = waitMs = 0
    ranks.fill(0)
  }

  return {
    /** Queues or refuses a request. Call it when the request arrives, in the turn of the event loop that reads it. */
    admit,
    level: () => level,
    /** Average wait in the last window, in milliseconds. */
    averageWaitMs: () => averageWaitMs,
    /** Requests in the queue. */
    queued: () => queue.size,
    /** Refused requests by priority and reason. */
    refused: (): ReadonlyMap<Priority, Readonly<Record<Reason, number>>> => refused,
    stop: () => clearInterval(timer),
  }
}
