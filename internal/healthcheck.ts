import { get } from 'node:http'

export interface HealthcheckOptions {
  /** Listening address of the service. A wildcard means the loopback address. */
  readonly host: string
  readonly port: number
  /** @default 2_000 */
  readonly timeoutMs?: number
}

/** Selects the standard dialect: in the Consul dialect, a ready service with a warning responds with 429. */
const PATH = '/health/ready?dialect=standard'

/** Requests the readiness of the service on this machine. Never rejects. */
export function readiness({
  host,
  port,
  timeoutMs = 2_000,
}: HealthcheckOptions): Promise<{ ready: boolean; answer: string }> {
  const local: Record<string, string> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const failed = (error: Error) => {
      const answer = signal.aborted ? `no answer within ${timeoutMs} ms` : error.message
      resolve({ ready: false, answer })
    }
    get({ host: local[host] ?? host, port, path: PATH, agent: false, signal }, async (response) => {
      let answer = ''
      response.setEncoding('utf8')
      try {
        for await (const chunk of response) answer += chunk
        resolve({ ready: response.statusCode === 200, answer })
      } catch (error) {
        failed(error as Error)
      }
    }).once('error', failed)
  })
}
