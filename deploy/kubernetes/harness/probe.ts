import { get } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import type { ProbeTimes } from './manifest.ts'

/** Probes like a kubelet: on a new connection. A status from 200 to 399 within the timeout is a success. */
function succeeds(port: number, path: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    get({ host: '127.0.0.1', port, path, agent: false, signal }, (response) => {
      response.resume().once('error', () => {})
      resolve(response.statusCode! >= 200 && response.statusCode! < 400)
    }).once('error', () => resolve(false))
  })
}

export interface ProbeOptions {
  readonly times: ProbeTimes
  readonly port: number
  /** Ends the probing. */
  readonly signal: AbortSignal
  /** Called when the threshold of consecutive successes or failures is reached. */
  onThreshold(ok: boolean): void
}

/** Probes once in each period until `signal` aborts. */
export async function watch({ times, port, signal, onThreshold }: ProbeOptions): Promise<void> {
  const { path, initialDelayMs, periodMs, timeoutMs, successThreshold, failureThreshold } = times
  const pause = (ms: number) => setTimeout(ms, undefined, { signal }).catch(() => {})
  let last: boolean | undefined
  let inARow = 0
  await pause(initialDelayMs)
  while (!signal.aborted) {
    const period = pause(periodMs)
    const ok = await succeeds(port, path, timeoutMs)
    if (signal.aborted) return
    inARow = ok === last ? inARow + 1 : 1
    last = ok
    if (inARow === (ok ? successThreshold : failureThreshold)) onThreshold(ok)
    await period
  }
}
