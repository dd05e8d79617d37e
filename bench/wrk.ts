import { succeed } from '../test/support/run.ts'
import { CLIENT_CPU, onCpu } from './cpu.ts'

export interface WrkOptions {
  readonly seconds: number
  /** The body of a POST request, as JSON. @default the requests are GET */
  readonly body?: string
  /** @default 'bench/wrk.lua', which repeats one request */
  readonly script?: string
  /** Variables for the script. */
  readonly env?: Readonly<Record<string, string>>
  /** @default 64 */
  readonly connections?: number
  /** Every response must be an error, like the responses of a failing probe. @default false */
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
 * Sends requests at saturation. Resolves with the responses per second.
 *
 * @throws when no response arrives, when a response has an unexpected status, or when a connection breaks
 */
export async function wrk(
  url: string,
  { seconds, body, script = 'bench/wrk.lua', env, connections = 64, refused = false, yielding = false }: WrkOptions,
): Promise<number> {
  const command = [
    'nice',
    '-n',
    yielding ? '19' : '0',
    'wrk',
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '-s',
    script,
    url,
  ] as const
  const [file, ...args] = onCpu(CLIENT_CPU, command)
  const output = await succeed(file, args, { env: { ...env, ...(body !== undefined && { BODY: body }) } })
  const report: Report = JSON.parse(output.trim().split('\n').at(-1) ?? '')
  if (report.requests === 0 || report.broken > 0 || report.refused !== (refused ? report.requests : 0)) {
    throw new Error(`${url}: ${report.refused} of ${report.requests} refused, ${report.broken} broken`)
  }
  return report.requests / report.seconds
}
