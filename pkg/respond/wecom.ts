import { setTimeout as sleep } from 'node:timers/promises'
import { readText } from '../read-text.ts'
import { mergeMessages } from './markdown.ts'

export interface RobotOptions {
  /** The webhook of a group robot, whose `key` is a secret. */
  readonly url: string
  /** Messages a minute. @default 20, the limit of WeCom */
  readonly perMinute?: number
  /** Longest wait for a response, in milliseconds. @default 5_000 */
  readonly timeoutMs?: number
  /** Delay before the next attempt after a failed attempt, in milliseconds. @default 2_000 */
  readonly retryMs?: number
  /** Delay after WeCom has refused a message because of its limit, in milliseconds. @default 60_000 */
  readonly limitedMs?: number
  /** @default 5 */
  readonly maxAttempts?: number
  readonly fetch?: typeof globalThis.fetch
  /** Reports messages that are lost after all attempts. `reason` does not contain the URL. */
  readonly onLost: (reason: string, messages: number) => void
}

const MINUTE_MS = 60_000
/** Messages that wait for the robot. Later messages are lost. */
const MAX_WAITING = 1_000

/** -1: the system is busy. 45009: too many messages. Any other error of WeCom is permanent. */
const BUSY = -1
const LIMITED = 45_009

/**
 * Sends markdown to a group robot of WeCom. Messages that arrive while an earlier message waits are merged.
 * https://developer.work.weixin.qq.com/document/path/91770
 */
export function createRobot(options: RobotOptions) {
  const { url, perMinute = 20, timeoutMs = 5_000, retryMs = 2_000, limitedMs = MINUTE_MS, maxAttempts = 5 } = options
  const { fetch = globalThis.fetch, onLost } = options
  const end = new AbortController()
  let waiting: string[] = []
  /** Times of the requests of the last minute: `performance.now()`, in milliseconds. */
  let sentAt: number[] = []
  let sending: Promise<void> | undefined

  /** Sends one part once. Resolves with undefined, or with the reason of the failure. */
  async function attempt(content: string): Promise<{ readonly reason: string; readonly retryMs?: number } | undefined> {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ msgtype: 'markdown', markdown: { content } }),
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(timeoutMs), end.signal]),
      })
      if (!response.ok) {
        await response.body?.cancel()
        return { reason: `status ${response.status}`, retryMs }
      }
      const { errcode } = JSON.parse(await readText(response.body)) as { readonly errcode?: unknown }
      if (errcode === 0) return undefined
      const reason = `errcode ${Number(errcode)}`
      if (errcode === LIMITED) return { reason, retryMs: limitedMs }
      return errcode === BUSY ? { reason, retryMs } : { reason }
    } catch (error) {
      const { name, cause } = error as { readonly name: string; readonly cause?: { readonly code?: string } }
      return { reason: cause?.code ?? name, retryMs }
    }
  }

  /** Waits until the limit allows another request. */
  async function waitForQuota(): Promise<void> {
    sentAt = sentAt.filter((at) => at > performance.now() - MINUTE_MS)
    const [oldest] = sentAt
    if (oldest !== undefined && sentAt.length >= perMinute) await pause(oldest + MINUTE_MS - performance.now())
    sentAt.push(performance.now())
  }

  const pause = (ms: number) => sleep(Math.max(0, ms), undefined, { signal: end.signal })

  async function deliver(content: string): Promise<string | undefined> {
    for (let count = 1; ; count++) {
      await waitForQuota()
      const failure = await attempt(content)
      if (failure === undefined) return undefined
      if (failure.retryMs === undefined || count >= maxAttempts || end.signal.aborted) return failure.reason
      await pause(failure.retryMs)
    }
  }

  async function sendAll(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      let lost: string | undefined
      for (const part of mergeMessages(batch)) lost = (await deliver(part).catch(() => 'stopped')) ?? lost
      // A part of a batch may contain any of its messages, so the whole batch counts as lost.
      if (lost !== undefined) onLost(lost, batch.length)
    }
    sending = undefined
  }

  return {
    /** Queues a message. Never waits for WeCom. */
    send(markdown: string): void {
      if (waiting.length >= MAX_WAITING) onLost('queue full', 1)
      else if (markdown !== '') {
        waiting.push(markdown)
        sending ??= sendAll()
      }
    },
    /** Waits up to `timeoutMs` milliseconds for the messages in the queue, and then gives them up. */
    async stop(timeoutMs: number): Promise<void> {
      const timer = setTimeout(() => end.abort(), timeoutMs)
      await sending
      clearTimeout(timer)
    },
  }
}
