import { join } from 'node:path'
import { succeed } from '../test/support/run.ts'
import { CLIENT_CPU, onCpu } from './cpu.ts'

export interface WrkOptions {
  readonly seconds: number
  /** Sent as JSON with POST. @default the requests are GET */
  readonly body?: string
  /** The responses must be errors, like those of a failing probe. @default false */
  readonly refused?: boolean
  /**
   * Gives other processes on the core of the clients priority, so that a prober waits for the server only.
   *
   * @default false
   */
  readonly yielding?: boolean
}

interface Report {
  readonly requests: number
  readonly seconds: number
  /** Responses with a status above 399. */
  readonly refused: number
  readonly broken: number
}

/**
 * Sends requests over 64 connections at saturation. Resolves with the responses per second.
 *
 * @throws when a response has an unexpected status or a connection breaks
 */
export async function wrk(
  url: string,
  { seconds, body, refused = false, yielding = false }: WrkOptions,
): Promise<number> {
  const script = join(import.meta.dirname, 'wrk.lua')
  const command = [
    'nice',
    '-n',
    yielding ? '19' : '0',
    'wrk',
    '-t1',
    '-c64',
    `-d${seconds}s`,
    '-s',
    script,
    url,
  ] as const
  const [file, ...args] = onCpu(CLIENT_CPU, command)
  const output = await succeed(file, args, body === undefined ? {} : { env: { BODY: body } })
  const report: Report = JSON.parse(output.trim().split('\n').at(-1) ?? '')
  if (report.broken > 0 || report.refused !== (refused ? report.requests : 0)) {
    throw new Error(`${url}: ${report.refused} of ${report.requests} refused, ${report.broken} broken`)
  }
  return report.requests / report.seconds
}
