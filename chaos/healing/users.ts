import { Agent } from 'node:http'
import type { Line, RunningApp } from '../../test/support/app.ts'
import { openLoop } from '../../test/support/open-loop.ts'
import { send } from '../../test/support/send.ts'
import { until } from '../../test/support/services.ts'

/** Times are milliseconds since the epoch, as in the log. */
export interface UserRequest {
  readonly sentAt: number
  readonly endedAt: number
  /** 0 without a response in time. */
  readonly status: number
}

export interface UsersOptions {
  readonly port: number
  readonly path: string
  readonly ratePerSecond: number
  /** Longest wait of a user, in milliseconds. */
  readonly timeoutMs: number
  /** Keeps connections for later requests. @default true */
  readonly keepAlive?: boolean
}

/** Starts users who send requests at a fixed rate, whatever the responses are. */
export function startUsers(options: UsersOptions) {
  const { port, path, ratePerSecond, timeoutMs, keepAlive = true } = options
  const agent = new Agent({ keepAlive })
  const requests: UserRequest[] = []
  const end = new AbortController()

  async function ask(): Promise<void> {
    const sentAt = Date.now()
    const { status } = await send({ port, path, agent, signal: AbortSignal.timeout(timeoutMs) })
    requests.push({ sentAt, endedAt: Date.now(), status })
  }

  const run = openLoop({ ratePerSecond, durationMs: 24 * 3_600_000, signal: end.signal, send: ask })
  return {
    /** The requests that have ended, in the order of their end. */
    requests,
    /** Returns the requests of a span of time. @param to the end of the span. @default now */
    during: (from: number, to = Number.POSITIVE_INFINITY) =>
      requests.filter(({ sentAt }) => sentAt >= from && sentAt < to),
    /** @returns the 99th percentile of the delay of the requests, in milliseconds */
    async stop(): Promise<number> {
      end.abort()
      const { lag } = await run
      agent.destroy()
      return lag.p99Ms
    },
  }
}

/** A response with 200 within this time is good. */
export const GOOD_MS = 250

export const isGood = ({ sentAt, endedAt, status }: UserRequest) => status === 200 && endedAt - sentAt <= GOOD_MS

/** Returns the time from `since` to the end of the last bad request, in seconds. NaN when there are no requests. */
export function recoveredAfter(since: number, requests: readonly UserRequest[]): number {
  const bad = requests.filter((each) => !isGood(each)).map(({ endedAt }) => endedAt)
  return requests.length === 0 ? Number.NaN : seconds(since, Math.max(since, ...bad))
}

/** Returns why a row is invalid: when its users are late by more than `maxMs`, the result depends on the machine. */
export const judgeLag = (lagMs: number, maxMs = 100) =>
  lagMs > maxMs ? { invalid: `the users were late by ${Math.round(lagMs)} ms` } : {}

/** Returns the time of a log line. */
export const timeOf = (line: Line) => Date.parse(String(line['@timestamp']))

/** Waits for a line that the app logs after `since`, and returns its time. */
export async function nextLine(
  { lines }: Pick<RunningApp, 'lines'>,
  fields: Line,
  since: number,
  timeoutMs = 120_000,
): Promise<number> {
  const matches = (line: Line) => Object.entries(fields).every(([name, value]) => line[name] === value)
  let found: Line | undefined
  let read = lines.findLastIndex((line) => timeOf(line) < since) + 1
  await until(() => {
    for (; read < lines.length && found === undefined; read++) {
      const line = lines[read]
      if (line !== undefined && matches(line)) found = line
    }
    return found !== undefined
  }, timeoutMs)
  return timeOf(found ?? {})
}

export const seconds = (from: number, to: number) => (to - from) / 1_000
