import { fork } from 'node:child_process'
import { on, once } from 'node:events'
import { join } from 'node:path'
import { pin } from '../test/support/cpu.ts'
import type { Evidence, Target } from './evidence.ts'
import type { Figures, Message, Plan } from './generator.ts'
import { createAgent, type Data, fillRequest, sendRequest } from './request.ts'
import type { CreatedSet, Scenario } from './scenario.ts'
import { startWatch } from './watch.ts'

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
  /** Ends the measurement early. `measure` then rejects with the reason. */
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
export async function measure(options: MeasureOptions): Promise<StepResult> {
  const { target, scenario, rate, durationS, signal, warmUpS = scenario.warmUpS } = options
  const data = options.data ?? (await prepareData(options))
  const { operations, session, timeoutMs } = scenario
  const plan: Plan = {
    url: target.url,
    scenario: { operations, timeoutMs, session },
    ...{ data, rate, warmUpS, durationS },
  }
  const child = fork(join(import.meta.dirname, 'generator.ts'), { execArgv: [] })
  const closed = once(child, 'close')
  const messages = on(child, 'message', { close: ['disconnect'], ...(signal && { signal }) })
  async function next(): Promise<Message> {
    const { value, done } = await messages.next()
    if (done) throw new Error('the generator ended before its measurement')
    return value[0]
  }
  try {
    if (target.generatorCore !== undefined) await pin(child.pid ?? 0, [target.generatorCore])
    child.send(plan)
    await next()
    await using watch = await startWatch(target, child.pid ?? 0)
    await next()
    const createEvidence = await watch.stop()
    const figures = (await next()) as Figures
    return toResult(rate, durationS, figures, createEvidence(figures.lagMs))
  } finally {
    child.kill('SIGKILL')
    await closed
  }
}

function toResult(rate: number, durationS: number, figures: Figures, evidence: Evidence): StepResult {
  const { sent, succeeded, errors, p50Ms, p95Ms, p99Ms, maxMs } = figures
  return {
    rate,
    durationS,
    offered: sent / durationS,
    achieved: succeeded / durationS,
    errors,
    errorShare: sent === 0 ? 0 : (sent - succeeded) / sent,
    ...{ p50Ms, p95Ms, p99Ms, maxMs, evidence },
  }
}

/** Number of requests in progress while `prepareData` creates data. */
const PARALLEL = 4

/** Largest response to a request that creates data, in bytes. */
const MAX_BODY_BYTES = 1024 ** 2

/** Creates the data sets of a scenario in the target. @throws Error when a request fails */
export async function prepareData({
  target: { url },
  scenario: { data, timeoutMs },
  signal,
}: Pick<MeasureOptions, 'target' | 'scenario' | 'signal'>): Promise<Data> {
  const agent = createAgent(url, PARALLEL)

  async function create({ request, take }: CreatedSet, index: number): Promise<string | number> {
    signal?.throwIfAborted()
    const filled = fillRequest(request, {}, index)
    const deadline = performance.now() + timeoutMs
    const { error, body } = await sendRequest(filled, { url, agent, deadline, maxBytes: MAX_BODY_BYTES })
    const value = error === undefined ? JSON.parse(body)[take] : undefined
    if (value !== undefined) return value
    throw new Error(`${filled.method} ${filled.path}: ${error ?? `the response has no ${take}`}: ${body}`)
  }

  async function createAll(set: CreatedSet): Promise<(string | number)[]> {
    const values: (string | number)[] = []
    while (values.length < set.count) {
      const { length } = values
      const batch = Array.from({ length: Math.min(PARALLEL, set.count - length) }, (_, index) => length + index)
      values.push(...(await Promise.all(batch.map((index) => create(set, index)))))
    }
    return values
  }

  const sets = Object.entries(data).map(async ([name, set]) => [name, 'take' in set ? await createAll(set) : set])
  try {
    return Object.fromEntries(await Promise.all(sets))
  } finally {
    agent.destroy()
  }
}
