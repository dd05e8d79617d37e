import type { Evidence, Target } from './evidence.ts'
import type { Scenario } from './scenario.ts'

/** Values of the placeholders by name. */
export type Data = Readonly<Record<string, readonly (string | number)[]>>

export interface MeasureOptions {
  readonly target: Target
  readonly scenario: Scenario
  /** Requests a second. */
  readonly rate: number
  /** Time of the measurement after the warm-up, in seconds. */
  readonly durationS: number
  /** @default the warm-up of the scenario */
  readonly warmUpS?: number
  /** From `prepareData`, so that several measurements share it. @default new data */
  readonly data?: Data
  /** Ends the measurement early. `measure` then rejects. */
  readonly signal?: AbortSignal
}

export interface StepResult {
  /** Intended requests a second. */
  readonly rate: number
  readonly durationS: number
  /** Requests a second that were sent. */
  readonly offered: number
  /** Successful responses a second. */
  readonly achieved: number
  /** Failed requests by kind: a status from 400 on, `timeout`, or the code of a connection error. */
  readonly errors: Readonly<Record<string, number>>
  /** Share of the requests that failed. */
  readonly errorShare: number
  /** Latency of the successful responses from their intended start, in milliseconds. 0 without a response. */
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly evidence: Evidence
}

/** Sends the mix of a scenario at one rate from a separate process, and gathers the evidence meanwhile. */
export async function measure(_options: MeasureOptions): Promise<StepResult> {
  throw new Error('not implemented')
}
