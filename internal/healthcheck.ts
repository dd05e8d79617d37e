import { get, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'

const TIMEOUT_MS = 2_000

/** Selects the standard dialect: in the Consul dialect, a ready service with a warning responds with 429. */
const PATH = '/health/ready?dialect=standard'

/** A wildcard of the listening address means the loopback address. */
const LOCAL: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

/** Requests the readiness of the service that listens on this address of this machine. Never rejects. */
export async function readiness(host: string, port: number): Promise<{ ready: boolean; message: string }> {
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: LOCAL[host] ?? host, port, path: PATH, agent: false, signal }, resolve)
        // A timeout after the response has begun is an error of both the request and the response.
        .on('error', reject)
        // After a response with status 101, Node closes the connection without a response and without an error.
        .on('close', () => reject(new Error('closed without a response')))
    })
    return { ready: response.statusCode === 200, message: await text(response) }
  } catch (error) {
    return { ready: false, message: signal.aborted ? `no response within ${TIMEOUT_MS} ms` : (error as Error).message }
  }
}
