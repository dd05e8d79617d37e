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
 * Returns the earliest time at which a request that the server reads now may have arrived. The kernel does not report
 * when the bytes of a request arrived. They arrived after the previous turn of the event loop had read all sockets, so
 * not before that turn began to run its handlers. Time in which the loop has slept since then does not count, because
 * an arriving request wakes the loop.
 */
export function createTurnClock(options: TurnClockOptions = {}) {
  const { now = () => performance.now(), sleptMs = () => performance.nodeTiming.idleTime } = options
  const { eachTurn = runEachTurn } = options
  let readAt = now()
  let sleptBefore = sleptMs()
  let turn = 0

  eachTurn(() => {
    turn++
    readAt = now()
    sleptBefore = sleptMs()
  })

  return {
    now,
    sleptMs,
    /** Counts the turns of the event loop whose handlers have begun to run. */
    turn: () => turn,
    /** Returns the earliest time at which a request that is read now may have arrived. */
    arrivedAt: () => readAt + sleptMs() - sleptBefore,
  }
}

/** An unreferenced immediate neither keeps the process running nor keeps the event loop awake. */
function runEachTurn(callback: () => void): void {
  setImmediate(function each() {
    callback()
    setImmediate(each).unref()
  }).unref()
}
