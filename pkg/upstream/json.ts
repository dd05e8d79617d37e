import type * as z from 'zod'
import { CodedError } from '../problem/index.ts'
import type { UpstreamResponse } from './exchange.ts'
import type { UpstreamRequest } from './options.ts'

export interface JsonRequest<S extends z.ZodType> extends UpstreamRequest {
  /** The body of a 2xx response. Name only the fields that you use, because the upstream may add fields. */
  readonly schema: S
  /**
   * Returns the value to use when the call has failed, such as the last known value, or undefined to keep the error.
   * Not called for an UpstreamStatusError, because such a status, for example 404, is a decision of the upstream.
   * @default no value
   */
  readonly fallback?: ((error: CodedError) => z.output<S> | undefined) | undefined
}

/** The upstream responded with a status outside 200 to 299, such as 404. Uncaught, it becomes a 502. */
export class UpstreamStatusError extends CodedError {
  readonly status: number

  constructor(status: number) {
    super('upstream_invalid_response', { cause: new Error(`status ${status}`) })
    this.status = status
  }
}

type Send = (asked: UpstreamRequest) => Promise<UpstreamResponse>

/**
 * Sends a request and resolves with the parsed JSON body of a 2xx response, or with the value of the fallback.
 *
 * @throws UpstreamStatusError for any other status below 500
 * @throws CodedError as `send` does, and `upstream_invalid_response` for a body that does not match the schema
 */
export async function requestJson<S extends z.ZodType>(
  send: Send,
  { fallback, ...asked }: JsonRequest<S>,
): Promise<z.output<S>> {
  try {
    return await readJson(send, asked)
  } catch (error) {
    const hasFailed = error instanceof CodedError && !(error instanceof UpstreamStatusError)
    const value = hasFailed ? fallback?.(error) : undefined
    if (value === undefined) throw error
    return value
  }
}

async function readJson<S extends z.ZodType>(send: Send, { schema, ...asked }: JsonRequest<S>): Promise<z.output<S>> {
  const { status, headers, body } = await send(asked)
  if (Math.floor(status / 100) !== 2) throw new UpstreamStatusError(status)
  const invalid = (cause: Error) => new CodedError('upstream_invalid_response', { cause })
  const type = headers['content-type'] ?? ''
  if (!/^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type)) throw invalid(new Error('the body is not JSON'))
  if (headers['content-encoding'] !== undefined) throw invalid(new Error('the body is compressed'))
  let content: unknown
  try {
    content = JSON.parse(body.toString())
  } catch {
    // The message of JSON.parse quotes the body.
    throw invalid(new Error('the body is not valid JSON'))
  }
  const { success, data, error } = schema.safeParse(content)
  if (!success) throw invalid(error)
  return data
}
