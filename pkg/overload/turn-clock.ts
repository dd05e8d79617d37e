export interface TurnClockOptions {
  /** @default performance.now */
  readonly now?: () => number
  /** Time that the event loop has slept since the start, in milliseconds. @default performance.nodeTiming.idleTime */
  readonly sleptMs?: () => number
  /** Calls back once in each turn of the event loop, before the immediates of this turn. @default an immediate */
  readonly eachTurn?: (callback: () => void) => void
}

export type TurnClock = ReturnType<typeof createTurnClock>

/**
 * Tells since when a request may have waited that the server reads now. The kernel does not report when the bytes of a
 * request arrived. They arrived after the last turn of the event loop has read all sockets, and at the earliest when
 * that turn began to run its handlers. Time in which the loop slept since then is no wait, because a request ends it.
 */
export function createTurnClock(options: TurnClockOptions = {}) {
  const { now = () => performance.now(), sleptMs = () => performance.nodeTiming.idleTime } = options
  const { eachTurn = runEachTurn } = options
  let readAt = now()
  let sleptBefore = sleptMs()
  let arrivedAt: number | undefined
  let turn = 0

  eachTurn(() => {
    turn++
    readAt = now()
    sleptBefore = sleptMs()
    arrivedAt = undefined
  })

  return {
    now,
    sleptMs,
    /** Counts the turns of the event loop whose handlers have begun to run. */
    turn: () => turn,
    /** Returns the earliest time at which the requests of this turn may have arrived. */
    arrivedAt(): number {
      arrivedAt ??= readAt + sleptMs() - sleptBefore
      return arrivedAt
    },
  }
}

/** An immediate without a reference neither keeps the process running nor the event loop from sleeping. */
function runEachTurn(callback: () => void): void {
  setImmediate(function each() {
    callback()
    setImmediate(each).unref()
  }).unref()
}
