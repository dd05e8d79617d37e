import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

const TIMEOUT_MS = 2_000

const PATHS = {
  live: '/health/live',
  // Selects the standard dialect: in the Consul dialect, a ready service with a warning responds with 429.
  ready: '/health/ready?dialect=standard',
}

/** A wildcard of the listening address means the loopback address. */
const LOCAL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Asks whether the service that listens on this address of this machine is alive, or ready. Never rejects. */
export async function healthcheck(
  question: keyof typeof PATHS,
  host: string,
  port: number,
): Promise<{ ok: boolean; message: string }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: LOCAL[host] ?? host, port, path: PATHS[question], agent: false, signal }, resolve)
        // A timeout after the response has begun is an error of both the request and the response.
        .on('error', reject)
        // After a response with status 101, Node closes the connection without a response and without an error.
        .on('close', () => reject(new Error('closed without a response')))
    })
    return { ok: response.statusCode === 200, message: await text(response) }
  } catch (error) {
    return { ok: false, message: signal.aborted ? `no response within ${TIMEOUT_MS} ms` : (error as Error).message }
  }
}
