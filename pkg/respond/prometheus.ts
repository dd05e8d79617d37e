import { readText } from '../read-text.ts'

/** Longest query, in milliseconds. */
const TIMEOUT_MS = 2_000

/** Creates a function that tells whether a PromQL expression has a result now. It rejects when Prometheus fails. */
export function createQuery(url: string) {
  const endpoint = `${url.replace(/\/$/, '')}/api/v1/query`
  return async function hasResult(query: string): Promise<boolean> {
    const response = await fetch(endpoint, {
      method: 'POST',
      // Prometheus before 2.51 ignores the limit.
      body: new URLSearchParams({ query, limit: '1' }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const { status, data, error } = JSON.parse(await readText(response.body)) as {
      readonly status: string
      readonly data?: { readonly resultType: string; readonly result: readonly unknown[] }
      readonly error?: string
    }
    if (status !== 'success' || data?.resultType !== 'vector') {
      throw new Error(`Prometheus did not evaluate the query: ${error ?? data?.resultType}`)
    }
    return data.result.length > 0
  }
}
